// Package boottime is the time line of the sensor: nanoseconds since boot, suspend included (CLOCK_BOOTTIME,
// clock_gettime(2)). A step of the wall clock therefore never looks like jitter. Conversion to wall-clock time happens in
// one place, a Clock, when a row is written.
package boottime

import (
	"time"

	"golang.org/x/sys/unix"
)

// Time is an instant in nanoseconds since boot. The zero value means "unknown".
type Time int64

// Add returns t shifted by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the duration t − u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Now reads CLOCK_BOOTTIME. It does not fail on any kernel with the call (2.6.39 and later).
func Now() Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return Time(ts.Nano())
}

// Clock converts instants to wall-clock time. The zero Clock is that of recorded traffic: its Time counts nanoseconds
// since the Unix epoch, so conversion is the identity.
type Clock struct {
	offset func() time.Duration // from boot time to wall time, now
}

// System is the clock of this host: the offset to wall time is read anew at each conversion, so rows follow a stepped
// wall clock while intervals do not.
func System() Clock {
	return By(func() time.Duration { return time.Duration(time.Now().UnixNano() - int64(Now())) })
}

// By is a clock whose offset from time since boot to time since the Unix epoch is what offset says at each conversion.
func By(offset func() time.Duration) Clock { return Clock{offset: offset} }

// Recorded is the clock of replayed traffic, whose Time is nanoseconds since the Unix epoch.
func Recorded() Clock { return Clock{} }

// Wall returns t as wall-clock time in UTC; the zero Time gives the zero time.Time.
func (c Clock) Wall(t Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(t.Add(c.Offset()))).UTC()
}

// Stopped is c with the offset it has now, for the rows of one answer: their differences stay exact.
func (c Clock) Stopped() Clock {
	offset := c.Offset()
	return By(func() time.Duration { return offset })
}

// Offset returns what to add to a Time, in nanoseconds, to get nanoseconds since the Unix epoch.
func (c Clock) Offset() time.Duration {
	if c.offset == nil {
		return 0
	}
	return c.offset()
}
