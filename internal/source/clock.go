package source

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
)

// jiffyClock places the kernel's "so many jiffies ago" on the boot time line. The kernel subtracts two tick counts, so the
// result is exact in ticks: counted from the last tick, instead of from now, the error is one jiffy and not two.
type jiffyClock struct {
	jiffy  time.Duration
	slack  time.Duration // of the kernel's rounding to milliseconds, for a jiffy of no whole number of them
	offset time.Duration // boot time − monotonic time
	phase  time.Duration // of the ticks, on the monotonic line
	blur   time.Duration // by which a tick may be later than it is taken for: a jiffy if its phase is not known
}

func newJiffyClock() *jiffyClock {
	findTickPhase()
	c := &jiffyClock{jiffy: bpf.Jiffy()}
	if c.jiffy%time.Millisecond != 0 {
		c.slack = time.Millisecond
	}
	c.synchronise()
	return c
}

// tickDelay is how late a tick may be handled; what happened meanwhile is dated before it.
const tickDelay = 250 * time.Microsecond

// instant is a moment and the kernel tick before it.
type instant struct {
	now, tick boottime.Time
}

// read returns the present.
func (c *jiffyClock) read() instant {
	coarse := monotonic(unix.CLOCK_MONOTONIC_COARSE)
	now := boottime.Now()
	if age := now.Sub(boottime.Time(coarse).Add(c.offset)); age < 0 || age > 10*c.jiffy { // the host slept since, which only boot time counts
		c.synchronise()
		return instant{now: now, tick: now.Add(-c.jiffy)}
	}
	return instant{now: now, tick: boottime.Time(c.tickBefore(coarse, time.Duration(now)-c.offset)).Add(c.offset)}
}

// tickBefore returns the last tick before now, on the monotonic line. The coarse clock was moved at a tick less than a jiffy after
// what it shows: one that should have been by now, but is clearly later than that, has not been handled yet.
func (c *jiffyClock) tickBefore(coarse, now time.Duration) time.Duration {
	if c.blur > 0 {
		return coarse
	}
	last := min(now, coarse+c.jiffy+tickDelay)
	return last - (last-c.phase)%c.jiffy
}

// synchronise measures the offset between the clocks, between two readings of one of them close enough together, and takes over the
// phase of the ticks.
func (c *jiffyClock) synchronise() {
	c.blur = c.jiffy
	if phase := tickPhase.Load(); phase != nil {
		c.phase, c.blur = *phase, 0
	}
	best := time.Hour
	for range 5 {
		before := monotonic(unix.CLOCK_MONOTONIC)
		now := boottime.Now()
		if width := monotonic(unix.CLOCK_MONOTONIC) - before; width < best {
			best, c.offset = width, time.Duration(now)-before
		}
	}
}

func monotonic(clock int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(clock, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// span is when the kernel looked at a socket: after from, not after to.
type span struct {
	from, to instant
}

// ago returns the bounds of the instant that the kernel, looking within s, called d ago.
func (c *jiffyClock) ago(s span, d time.Duration) (from, to boottime.Time) {
	from = s.from.tick.Add(-d - c.slack)
	to = s.to.tick.Add(c.jiffy + c.blur + tickDelay + c.slack - d)
	return from, min(to, s.to.now)
}

// afterTick returns the first instant from t on that is shortly after a tick. A reading begun there is over before the
// next tick, as a rule, and then good to one jiffy instead of two.
func (c *jiffyClock) afterTick(t boottime.Time) boottime.Time {
	shortly := min(tickDelay, c.jiffy/4)
	next := c.read().tick.Add(shortly)
	if t > next {
		next = next.Add((t.Sub(next) + c.jiffy - 1) / c.jiffy * c.jiffy)
	}
	return next
}
