// Package beacon scores one flow for beaconing: a series of sends in, evidence and reasons out. It knows no sockets and
// no processes, keeps no state between flows, and everything it returns is finite.
package beacon

import "time"

// Series is one flow, oldest first: starts of micro-bursts, the bytes of each and how uncertain each start is. Times are
// relative to any origin. Last, if not nil, is the instant of the last send of each micro-burst (nil = its start).
// Within, if not nil, is the timing uncertainty: burst i started in (At[i]−Within[i], At[i]]. Failed, if not nil, marks
// connection attempts that never succeeded. All slices that are not nil have the length of At. The series belongs to the
// caller and is not modified.
type Series struct {
	At     []time.Duration
	Bytes  []uint64
	Last   []time.Duration
	Within []time.Duration
	Failed []bool
}

// Len returns the number of micro-bursts.
func (s Series) Len() int { return len(s.At) }
