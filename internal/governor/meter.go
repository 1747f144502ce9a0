package governor

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Process is the CPU time that this process has used, 0 if it cannot be told.
func Process() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// clock reads a clock of clock_gettime(2).
func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// Meter adds up the CPU time of work that has a budget of its own. The zero Meter is ready; it is safe for concurrent use.
type Meter struct {
	spent atomic.Int64
}

// Do does work, on one thread, whose CPU time is counted when it ends. Goroutines that it starts are not.
func (m *Meter) Do(work func()) {
	defer m.begin()()
	work()
}

// begin has what this goroutine does from now on counted when end is called on it.
func (m *Meter) begin() (end func()) {
	runtime.LockOSThread()
	began := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	return func() {
		m.spent.Add(int64(clock(unix.CLOCK_THREAD_CPUTIME_ID) - began))
		runtime.UnlockOSThread()
	}
}

// Spent is the CPU time of all work that has ended.
func (m *Meter) Spent() time.Duration { return time.Duration(m.spent.Load()) }
