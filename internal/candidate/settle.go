package candidate

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
)

// leastHold is how long, at least, a reason code stays after the last scoring that gave it, and a class while another one is
// given; three intervals if they are longer. Where a score is near the threshold, or a program sends payloads of two sizes, the
// same alert would else open and close, or change and change back, for days.
const leastHold = time.Hour

// withdrawn are the codes that say that something is missing: they go when it is there.
const withdrawn = beacon.InsufficientBeats | beacon.BelowFrequency

// settled is what a candidate shows of itself in columns that do not change without need.
type settled struct {
	since         time.Time
	given, before beacon.Codes // since that moment, and in the span before it
	interval      class
	size          class
}

// codes takes in the codes of a scoring and returns those to show: each for at least hold and less than twice as long.
func (s *settled) codes(now time.Time, given beacon.Codes, hold time.Duration) beacon.Codes {
	switch {
	case now.Sub(s.since) >= 2*hold:
		s.since, s.before, s.given = now, 0, 0
	case now.Sub(s.since) >= hold:
		s.since, s.before, s.given = now, s.given, 0
	}
	s.given |= given &^ withdrawn
	return given | s.given | s.before
}

// class is a name of a range that is left only for another one that stays.
type class struct {
	shown string
	next  string // another one, given in every scoring since then
	since time.Time
}

// settle takes in the class of a scoring, empty for none, and returns the one to show. Unless it is held, that is the given one.
func (c *class) settle(now time.Time, given string, held bool, hold time.Duration) string {
	switch {
	case !held || c.shown == "":
		c.shown, c.next = given, ""
	case given == "" || given == c.shown:
		c.next = ""
	case given != c.next:
		c.next, c.since = given, now
	case now.Sub(c.since) >= hold:
		c.shown, c.next = given, ""
	}
	return c.shown
}

// settle writes the settled columns of c, going on from the candidate it replaces.
func (c *Candidate) settle(now time.Time, previous *settled) {
	c.settled = *previous
	hold := max(leastHold, 3*c.Result.Interval)
	c.Result.Codes = c.settled.codes(now, c.Result.Codes, hold)
	held := c.Result.Codes.Has(beacon.AboveThreshold)
	interval, size := &c.settled.interval, &c.settled.size
	c.IntervalClass = interval.settle(now, intervalClass(c.Result.Interval, interval.shown), held, hold)
	c.SizeClass = size.settle(now, sizeClass(c.Result.Size, size.shown), held, hold)
}
