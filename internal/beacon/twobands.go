package beacon

import "math"

// twoBands looks for gaps of two lengths: a period changed midway, a short and a long sleep. Both bands must hold a fair
// part of the gaps, and the search for the second is paid as well.
func (s *Scorer) twoBands(r *reading, uncertainty float64) rhythm {
	n := float64(len(r.sorted))
	best := rhythm{reading: r, band: band{of: len(r.sorted), evidence: math.Inf(-1)}}
	for w, width := range s.widths.log {
		if halfWidths[w] > twoWidest {
			break
		}
		from, k := r.full[w].from, r.full[w].count
		from2, k2 := fullestBeside(r.sorted, width, from, from+k)
		if float64(k2) < secondShare*n {
			continue
		}
		share := wilsonLower(float64(k+k2), n, wilsonZ)
		cost := 2*s.widths.cost[w] + twoCost
		if worth(n, divergence(share, 2*s.widths.chance[w]))-cost <= best.evidence {
			continue
		}
		first := s.chance(r, from, k, w, uncertainty)
		second := s.chance(r, from2, k2, w, uncertainty)
		if wilsonLower(float64(k), n, wilsonZ) <= first || wilsonLower(float64(k2), n, wilsonZ) <= second {
			continue // one of them is nothing special, so the other is alone
		}
		e := worth(n, divergence(share, min(1, first+second))) - cost
		if e <= 0 || e <= best.evidence {
			continue
		}
		a, b := r.sorted[from], r.sorted[from+k-1]
		c, d := r.sorted[from2], r.sorted[from2+k2-1]
		marks := s.marks[:0]
		for _, y := range r.logs {
			marks = append(marks, y >= a && y <= b || y >= c && y <= d)
		}
		s.marks = marks
		if e *= r.standing(marks, math.Exp(max(a+b, c+d)/2), width/2) * habit(share); e > best.evidence {
			best.band = band{lo: math.Exp(a), hi: math.Exp(b), in: k, of: len(r.sorted), share: float64(k) / n, chance: first,
				evidence: e}
			best.other = (math.Exp(c) + math.Exp(d)) / 2
			best.step = min(best.interval(), best.other)
			best.kind = TwoPeriods
			if r.parted(a, b, c, d) {
				best.kind = PeriodChanged
			}
		}
	}
	return best
}

const (
	// twoWidest: two bands of more than ±27 % hold most of anything.
	twoWidest = 0.27
	// secondShare is the least share of the gaps for a second period to be a habit.
	secondShare = 0.15
	// twoCost is the price of allowing a second band, in nats.
	twoCost = 1.0
)

// fullestBeside returns where a window of the given width over sorted values holds most, keeping clear of those from
// index from to index to.
func fullestBeside(sorted []float64, width float64, from, to int) (at, count int) {
	at, count = fullest(sorted[:from], width, 0, 0)
	if i, k := fullest(sorted[to:], width, 0, count); k > count {
		return to + i, k
	}
	return at, count
}

// parted says whether the gaps of the two bands follow one another instead of mixing: few changes from one to the other.
func (r *reading) parted(a, b, c, d float64) bool {
	changes, in, was := 0, 0, 0
	for _, y := range r.logs {
		now := 0
		switch {
		case y >= a && y <= b:
			now = 1
		case y >= c && y <= d:
			now = 2
		default:
			continue
		}
		in++
		if was != 0 && now != was {
			changes++
		}
		was = now
	}
	// two periods taking turns at random change about in/2 times
	return changes <= 2 || changes*partedRarely < in
}

// partedRarely: one change in sixteen gaps is a choice that lasts.
const partedRarely = 16
