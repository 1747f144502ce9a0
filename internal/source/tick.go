package source

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// tickPhase is where within a jiffy, on the monotonic line, the kernel's tick count advances, which stays so while the kernel runs;
// nil if that is not known, or not yet. CLOCK_MONOTONIC_COARSE advances at the same moments, but by whole steps of its own: what it
// shows just after a tick lies anywhere in the jiffy before it (timekeeping_advance in kernel/time/timekeeping.c).
var tickPhase atomic.Pointer[time.Duration]

// findTickPhase begins to measure the phase, once, which takes some 15 ms of a processor: nobody waits for it.
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

// measureTickPhase awaits changes of count until two agree. Whatever delays a tick, or us, makes a change look late, never early:
// of two that differ the earlier one counts.
func measureTickPhase(count func() (uintptr, bool)) (phase time.Duration, ok bool) {
	const changes, longest = 8, 200 * time.Millisecond
	jiffy := jiffyLength()
	deadline := monotonic(unix.CLOCK_MONOTONIC) + longest
	for i := range changes {
		at, ok := awaitChange(count, deadline)
		if !ok {
			return 0, false
		}
		late := (at - phase) % jiffy // than the earliest so far
		agree := i > 0 && min(late, jiffy-late) < tickDelay/2
		if i == 0 || late > jiffy/2 {
			phase = at % jiffy
		}
		if agree {
			return phase, true
		}
	}
	return 0, false
}

// awaitChange returns the last monotonic instant before count changed.
func awaitChange(count func() (uintptr, bool), deadline time.Duration) (time.Duration, bool) {
	first, ok := count()
	for ok {
		at := monotonic(unix.CLOCK_MONOTONIC)
		var now uintptr
		if now, ok = count(); ok && now != first {
			return at, true
		}
		ok = ok && at < deadline
	}
	return 0, false
}

// jiffyLength returns the distance of two ticks, the resolution of CLOCK_MONOTONIC_COARSE; 4 ms if the kernel does not say.
func jiffyLength() time.Duration {
	var resolution unix.Timespec
	if unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &resolution) == nil && resolution.Nano() > 0 {
		return time.Duration(resolution.Nano())
	}
	return 4 * time.Millisecond
}
