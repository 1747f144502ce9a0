package attribution

import (
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// burst is how much looking may be saved up by default.
const burst = time.Second

// budget keeps looking for owners within a share of one core. It may be overdrawn, which is paid back first.
type budget struct {
	share    float64
	halvings *atomic.Int32 // of share, may be nil
	burst    time.Duration
	credit   time.Duration
	last     int64
}

func newBudget(share float64, halvings *atomic.Int32) budget {
	return budget{share: share, halvings: halvings, burst: burst, credit: burst, last: sinceBoot()}
}

// rate is the share of now.
func (b *budget) rate() float64 {
	if b.halvings == nil {
		return b.share
	}
	return math.Ldexp(b.share, -int(b.halvings.Load()))
}

// refill adds what has accrued until now, in nanoseconds since boot.
func (b *budget) refill(now int64) {
	if now > b.last {
		b.credit = min(b.burst, b.credit+time.Duration(b.rate()*float64(now-b.last)))
		b.last = now
	}
}

func (b *budget) spend(cost time.Duration) { b.credit -= cost }

// until is how long it takes to save that much credit.
func (b *budget) until(credit time.Duration) time.Duration {
	return time.Duration(float64(max(credit-b.credit, 0)) / b.rate())
}

// some reports whether there is credit for the likely places, ample whether for the unlikely ones as well: these may use
// up the first half only, so that sockets whose owner has long gone do not starve those whose owner would be found.
func (b *budget) some() bool  { return b.credit > 0 }
func (b *budget) ample() bool { return b.credit > b.burst/2 }

// sinceBoot is the clock of StartTicks: nanoseconds since boot, suspend included.
func sinceBoot() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// threadTime is the CPU time the calling thread has used.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
