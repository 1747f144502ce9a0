package source

import (
	"math"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/netns"
)

// rest lets a source that has found nothing to watch rest until something changes in its network namespace.
type rest struct {
	gate *netns.Gate
	turn uint64 // of the gate, before the last look
}

func newRest(gate *netns.Gate) rest { return rest{gate: gate, turn: math.MaxUint64} }

// look notes that a look begins.
func (r *rest) look() {
	if r.gate != nil {
		r.turn = r.gate.Turn()
	}
}

// idle reports whether another look would find what the last one did: nothing.
func (r *rest) idle(watched int) bool { return watched == 0 && r.gate.Rests(r.turn) }

// since is an instant after which a socket that is new must have begun, if known is one.
func (r *rest) since(known boottime.Time) boottime.Time {
	if r.gate == nil {
		return known
	}
	return max(known, boottime.Time(r.gate.Checked()))
}
