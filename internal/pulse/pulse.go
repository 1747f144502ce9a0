// Package pulse has what is done now and then done at the same instants, so that a process with little to do is woken once for all of
// it: waking up is dearer than most of what is done then, and the runtime looks after threads that are awake.
package pulse

import (
	"context"
	"time"
)

// beat is the distance of the instants at which the waits end that are no shorter.
const beat = time.Second

// origin is when they began.
var origin = time.Now()

// After is how long to wait instead of d: a wait of a second or more ends on a beat, up to half a second sooner or later, a shorter
// one at a multiple of d since the beats began. It is at least half of d.
func After(d time.Duration) time.Duration { return after(time.Since(origin), d) }

func after(now, d time.Duration) time.Duration { return (now + d).Round(min(d, beat)) - now }

// Wait waits that long and returns true, or false as soon as ctx ends.
func Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(After(d))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
