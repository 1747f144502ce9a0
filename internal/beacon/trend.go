package beacon

import "math"

// trend looks for an interval that grows or shrinks steadily, as Metasploit's does by 10 ms a poll: it divides the gaps by
// the straight line through their early and late medians and looks for one band in what is left. A line through random
// gaps leaves them as random as before, but it also takes the tail off them, so a wide band proves nothing.
func (s *Scorer) trend(r *reading, uncertainty float64) rhythm {
	none := rhythm{reading: r, band: band{of: len(r.gaps), evidence: math.Inf(-1)}}
	n := len(r.gaps)
	third := n / 3
	early, late := s.median(r.gaps[:third]), s.median(r.gaps[n-third:])
	if max(early, late) < trendLeast*min(early, late) {
		return none
	}
	slope := (late - early) / float64(n-third)
	level := &s.readings[3]
	level.limit, level.mean = 0, r.mean
	level.gaps, level.logs = append(level.gaps[:0], r.gaps...), level.logs[:0]
	least := trendFloor * max(early, late)
	for i, g := range r.gaps {
		fit := max(least, early+slope*(float64(i)-float64(third-1)/2))
		level.logs = append(level.logs, logOf(g/fit*r.mean))
	}
	level.sorted = append(level.sorted[:0], level.logs...)
	s.room = sortSpread(level.sorted, s.room)
	b := s.densestBand(level, uncertainty)
	b.evidence -= trendCost
	if b.evidence <= 0 || b.jitter() >= wide {
		return none
	}
	return rhythm{band: b, reading: r, kind: Ramp}
}

const (
	// trendLeast: less change than by half from the first third to the last is inside any jitter.
	trendLeast = 1.5
	// trendFloor keeps the line above zero where it starts near it.
	trendFloor = 0.02
	// trendCost is the price of the slope, in nats.
	trendCost = 3.0
)

// median returns the median of x, which it leaves as it was.
func (s *Scorer) median(x []float64) float64 {
	s.sizes = append(s.sizes[:0], x...)
	s.room = sortSpread(s.sizes, s.room)
	return s.sizes[len(s.sizes)/2]
}
