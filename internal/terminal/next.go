package terminal

import (
	"fmt"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

const (
	// lag is by how much a row may be behind the host: a series that has grown little is ranked again after 15 s (package
	// candidate), a second passes between refreshes here, and last_seen is in whole seconds.
	lag = 17 * time.Second
	// missed is how many intervals without a check-in are called silence rather than lateness.
	missed = 3
)

// nextBeat says when the next check-in is due; that it is, as long as it may have come unseen or in its jitter; by how much it is
// late; or for how long there has been none at all.
func (m *model) nextBeat(r Row) string {
	interval := time.Duration(figure.Number(r["interval_ms"])) * time.Millisecond
	last := figure.Number(r["last_seen"])
	if interval <= 0 || last <= 0 {
		return "–"
	}
	since := m.now.Sub(time.Unix(int64(last), 0))
	latest := interval + time.Duration(figure.Number(r["jitter"])*float64(interval)) + lag
	switch {
	case since < interval:
		return brief(interval - since)
	case since <= latest:
		return "due"
	case since <= missed*interval:
		return "late " + brief(since-interval)
	}
	return "silent " + brief(since)
}

// brief writes d in at most six characters.
func brief(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 100*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 100*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", min(int(d.Hours()/24), 9999))
}
