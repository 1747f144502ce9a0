package beacon

import "math"

// lossy looks for a wide jitter under heavy loss. Gaps of two and three intervals then reach down to the band of single
// ones, which has no upper edge that chance would not make too (edge). What remains is a sharp lower edge, a band that is
// filled as jitter fills it and not as a tail falls (falling), and nothing much beyond five intervals.
func (s *Scorer) lossy(r *reading, uncertainty float64) rhythm {
	n := float64(len(r.sorted))
	best := rhythm{reading: r, band: band{of: len(r.sorted), evidence: math.Inf(-1)}}
	price, weight := lossyCost, 1.0
	if r.limit > 0 {
		price, weight = lossyCost+readingCost, r.brief()
	}
	for w, width := range s.widths.log {
		if halfWidths[w] < lossyLeast || halfWidths[w] > lossyMost {
			continue
		}
		from, k := r.full[w].from, r.full[w].count
		lo, hi := r.sorted[from], r.sorted[from+k-1]
		if lo < logOf(lossyLean*r.limit) || lo < logOf(lossyGrid*uncertainty) {
			continue
		}
		share := wilsonLower(float64(k), n, wilsonZ)
		chance := max(s.widths.chance[w], rising(from, n, width))
		cost := s.widths.cost[w] + price
		least := max(0, best.evidence)
		if worth(n, divergence(share, chance))-cost <= least {
			continue
		}
		own := s.normal.blurred(r.sorted, (lo+hi-width)/2, (lo+hi+width)/2, blur)
		chance = max(chance, own, r.falling(from, from+k, width))
		explained := float64(upTo(r.sorted, hi+math.Log(missedMost))-from) / n
		e := (worth(n, divergence(share, chance)) - cost) * weight * ramp(explained, lossyStray, lossyClean)
		if e > least {
			best.band = band{lo: math.Exp(lo), hi: math.Exp(hi), in: k, of: len(r.sorted), share: float64(k) / n,
				chance: chance, evidence: e}
		}
	}
	return best
}

// rising is the share that a rising density may put in a band of the given width when below gaps of n lie under it: the
// mirror of edge.
func rising(below int, n, width float64) float64 {
	rise := math.Exp(heaviest * width)
	return min(1-1/rise, rise*(float64(below)+0.3)/n)
}

const (
	// lossyLeast and lossyMost: narrower jitter keeps an upper edge, wider jitter fills the gap to two intervals.
	lossyLeast, lossyMost = 0.14, 0.45
	// lossyLean: a band this close to the silence its reading was merged at may owe its edge to that; a band within
	// lossyGrid steps of the clock, to the clock.
	lossyLean, lossyGrid = 1.5, 10.0
	// lossyStray and lossyClean: of a beacon that loses half of its beats 97 % of the gaps are one to five intervals long.
	lossyStray, lossyClean = 0.80, 0.95
	// lossyCost is the price of doing without the upper edge, in nats.
	lossyCost = 2.0
)
