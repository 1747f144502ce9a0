package source

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/bpf"
)

// tickPhase is where within a jiffy, on the monotonic line, the kernel's tick count advances, which stays so while the kernel runs;
// nil if that is not known, or not yet. CLOCK_MONOTONIC_COARSE advances at the same moments, but by whole steps of its own: what it
// shows just after a tick lies anywhere in the jiffy before it (timekeeping_advance in kernel/time/timekeeping.c).
var tickPhase atomic.Pointer[time.Duration]

// findTickPhase begins to measure the phase, once, which takes some 30 ms of a processor: nobody waits for it.
var findTickPhase = sync.OnceFunc(func() {
	go func() {
		if phase, ok := measureTickPhase(tickCount); ok {
			tickPhase.Store(&phase)
		}
	}()
})

// tickCount returns the kernel's tick count in hundredths of a second, as times(2) gives it: it changes only where a tick is.
func tickCount() (uintptr, bool) {
	var unused unix.Tms
	n, err := unix.Times(&unused)
	return n, err == nil
}

// measureTickPhase awaits changes of count until some agree. Whatever delays a tick makes a change late, never early: of two that
// differ the earlier one counts.
func measureTickPhase(count func() (uintptr, bool)) (phase time.Duration, ok bool) {
	const enough, longest = 3, time.Second
	jiffy := bpf.Jiffy()
	deadline := monotonic(unix.CLOCK_MONOTONIC) + longest
	for agree := 0; agree < enough; {
		at, ok := awaitChange(count, deadline)
		if !ok {
			return 0, false
		}
		switch late := (at - phase) % jiffy; { // than the earliest so far
		case agree == 0 || late > jiffy/2 && late < jiffy-tickDelay/2:
			phase, agree = at%jiffy, 1
		case min(late, jiffy-late) < tickDelay/2:
			agree++
		}
	}
	return phase, true
}

// awaitChange returns the monotonic instant at which count changed, one at which nothing kept us from looking.
func awaitChange(count func() (uintptr, bool), deadline time.Duration) (time.Duration, bool) {
	last, ok := count()
	for before := deadline; ok && before <= deadline; { // the first change may be one that we missed
		at := monotonic(unix.CLOCK_MONOTONIC)
		var now uintptr
		if now, ok = count(); ok && now != last && before < at && monotonic(unix.CLOCK_MONOTONIC)-before < tickDelay/4 {
			return at, true
		}
		last, before = now, at
	}
	return 0, false
}
