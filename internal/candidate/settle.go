package candidate

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
)

// leastHold is how long, at least, a reason code stays after the last scoring that gave it, and three intervals if they are
// longer; at most it stays twice as long. A score near the threshold or a size band that comes and goes would else open and
// close the same alert every few beats.
const leastHold = 10 * time.Minute

// withdrawn are the codes that say that something is missing: they go when it is there.
const withdrawn = beacon.InsufficientBeats | beacon.BelowFrequency

// settled holds the codes of a candidate: those given since a moment, and those given in the span before it.
type settled struct {
	since         time.Time
	given, before beacon.Codes
}

// codes takes in the codes of a scoring and returns those to show.
func (s *settled) codes(now time.Time, given beacon.Codes, interval time.Duration) beacon.Codes {
	hold := max(leastHold, 3*interval)
	switch {
	case now.Sub(s.since) >= 2*hold:
		s.since, s.before, s.given = now, 0, 0
	case now.Sub(s.since) >= hold:
		s.since, s.before, s.given = now, s.given, 0
	}
	s.given |= given &^ withdrawn
	return given | s.given | s.before
}
