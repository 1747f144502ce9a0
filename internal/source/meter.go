package source

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// meter measures the CPU time of work. It is used by one goroutine.
type meter struct {
	others time.Duration // spent within the present work for somebody with a budget of its own
}

// measure does work and returns what it cost. The goroutine keeps its thread meanwhile, whose CPU time that is.
func (m *meter) measure(work func() error) (cost time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := monotonic(unix.CLOCK_THREAD_CPUTIME_ID)
	m.others = 0
	err = work()
	return monotonic(unix.CLOCK_THREAD_CPUTIME_ID) - before - m.others, err
}

// aside does work within other work at somebody else's expense: finding the owner of a new socket must not make the looks for
// further ones rarer, just when short connections come.
func (m *meter) aside(work func()) {
	before := monotonic(unix.CLOCK_THREAD_CPUTIME_ID)
	work()
	m.others += monotonic(unix.CLOCK_THREAD_CPUTIME_ID) - before
}
