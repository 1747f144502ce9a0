package beacon

import "math"

// pairs looks for two timers of one interval, such as two sessions of one implant on a host: each send is followed by the
// next of its own timer after one of the other, so no gap shows the interval but two in a row add up to it. A sender whose
// gaps know nothing of each other has sums as wide as those of gaps far apart.
func (s *Scorer) pairs(r *reading, uncertainty float64) rhythm {
	best := rhythm{reading: r, kind: TwoPeriods, step: r.mean, band: band{of: len(r.gaps) - 1, evidence: math.Inf(-1)}}
	if !r.compensates() {
		return best
	}
	sums, apart := s.sums(r.gaps)
	n := float64(len(r.gaps)) / 2 // neighbouring sums share a gap
	from, k := 0, 0
	for w, width := range s.widths.log {
		if halfWidths[w] > pairsWidest {
			break
		}
		from, k = fullest(sums, width, from, k)
		lo, hi := sums[from], sums[from+k-1]
		share := float64(k) / float64(len(sums))
		middle := (lo + hi) / 2
		if math.Exp(middle)*halfWidths[w] < uncertainty {
			continue
		}
		anyway := float64(upTo(apart, middle+width/2)-upTo(apart, middle-width/2)) / float64(len(apart))
		chance := max(erlangChance(math.Exp(width)), anyway+math.Sqrt(anyway*(1-anyway)/n))
		bounded := wilsonLower(share*n, n, wilsonZ)
		e := worth(n, divergence(bounded, chance)) - s.widths.cost[w] - pairsCost
		if e <= 0 || e <= best.evidence {
			continue
		}
		marks := s.marks[:0]
		for range r.gaps {
			marks = append(marks, false)
		}
		for i, g := range r.gaps[1:] {
			if sum := logOf(r.gaps[i] + g); sum >= lo && sum <= hi {
				marks[i], marks[i+1] = true, true
			}
		}
		s.marks = marks
		interval := math.Exp(middle)
		if e *= r.standing(marks, interval, width/2) * habit(bounded); e > best.evidence {
			best.band = band{lo: math.Exp(lo), hi: math.Exp(hi), in: k, of: len(sums), share: share, chance: chance, evidence: e}
			best.other = best.interval()
		}
	}
	return best
}

const (
	// pairsWidest: sums of two gaps are narrower than gaps; a band of more than ±27 % holds most of any.
	pairsWidest = 0.27
	// pairsCost is the price of looking at sums, in nats.
	pairsCost = 2.0
	// compensation is the correlation of neighbouring gaps below which a long one makes up for a short one.
	compensation = -0.2
)

// compensates says whether a gap is the shorter the longer the one before it was, as where two timers interleave.
func (r *reading) compensates() bool {
	product, square := 0.0, 0.0
	for i, g := range r.gaps {
		g -= r.mean
		square += g * g
		if i > 0 {
			product += g * (r.gaps[i-1] - r.mean)
		}
	}
	return product < compensation*square
}

// sums returns the sorted logarithms of the sums of neighbouring gaps, and of gaps half of the flow apart.
func (s *Scorer) sums(gaps []float64) (near, apart []float64) {
	both := s.sizes[:0]
	for i, g := range gaps[1:] {
		both = append(both, logOf(gaps[i]+g))
	}
	n := len(gaps)
	for i, g := range gaps {
		both = append(both, logOf(g+gaps[(i+n/2)%n]))
	}
	s.sizes = both
	near, apart = both[:n-1], both[n-1:]
	s.room = sortSpread(near, s.room)
	s.room = sortSpread(apart, s.room)
	return near, apart
}

// erlangChance is poissonChance for the sum of two exponential gaps: the largest share that a band from a to r·a can hold is
// reached at a = 2 ln r / (r−1).
func erlangChance(r float64) float64 {
	if r <= 1+1e-9 {
		return 0
	}
	a := 2 * math.Log(r) / (r - 1)
	return (1+a)*math.Exp(-a) - (1+r*a)*math.Exp(-r*a)
}
