package beacon

import "time"

// Series is one flow, oldest first: starts of micro-bursts, the bytes of each and how uncertain each start is. Times are
// relative to any origin. Last, if not nil, is the instant of the last send of each micro-burst (nil = its start).
// Within, if not nil, is the timing uncertainty: burst i started in (At[i]−Within[i], At[i]]. Failed, if not nil, marks
// connection attempts that never succeeded. Slices beside At that are shorter than At are taken as absent. The series
// belongs to the caller and is not modified.
type Series struct {
	At     []time.Duration
	Bytes  []uint64
	Last   []time.Duration
	Within []time.Duration
	Failed []bool

	// Resolution is the grid of the clock that stamped At; 0 if none is known. A grid of whole seconds is noticed unsaid.
	Resolution time.Duration
	// Window is how long the flow was watched, for Config.RepeatFrequencyThreshold; 0 means for as long as it lasted.
	Window time.Duration
}
