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
	live bool
}

// System is the clock of this host: the offset to wall time is read anew at each conversion, so rows follow a stepped
// wall clock while intervals do not.
func System() Clock { return Clock{live: true} }

// Recorded is the clock of replayed traffic, whose Time is nanoseconds since the Unix epoch.
func Recorded() Clock { return Clock{} }

// Wall returns t as wall-clock time in UTC; the zero Time gives the zero time.Time.
func (c Clock) Wall(t Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	if !c.live {
		return time.Unix(0, int64(t)).UTC()
	}
	return time.Now().Add(t.Sub(Now())).UTC()
}

// Offset returns what to add to a Time, in nanoseconds, to get nanoseconds since the Unix epoch. Converting many rows of
// one answer with one Offset keeps their differences exact.
func (c Clock) Offset() time.Duration {
	if !c.live {
		return 0
	}
	return time.Duration(time.Now().UnixNano() - int64(Now()))
}
