package beacon

import "math"

// sizeBand is the payload size most beats share: bytes·(1 ± spread).
type sizeBand struct {
	bytes, spread float64
	in, of        int
	share, chance float64
	evidence      float64
}

// minSizes is the fewest sizes worth comparing.
const minSizes = 4

// densestSize finds the band of sizes that most beats share, by the scan that finds the gap band, up to the given
// half-width. Beats without bytes (connections that carried nothing, sources without byte counts) say nothing about size.
func (s *Scorer) densestSize(bytes []float64, variance float64) sizeBand {
	logs := s.sizes[:0]
	for _, b := range bytes {
		if b > 0 {
			logs = append(logs, logOf(b))
		}
	}
	s.sizes = logs
	n := len(logs)
	best := sizeBand{of: n}
	if n < minSizes {
		return best
	}
	s.room = sortSpread(logs, s.room)
	from, k := 0, 0
	for _, h := range [...]float64{variance / 9, variance / 3, variance} {
		width := math.Log((1 + h) / (1 - h))
		from, k = fullest(logs, width, from, k)
		share := wilsonLower(float64(k), float64(n), wilsonZ)
		middle := (logs[from] + logs[from+k-1]) / 2
		chance := s.normal.blurred(logs, middle-width/2, middle+width/2, blur)
		e := worth(float64(n), divergence(share, chance)) - searchCost - placeCost*math.Log(1/width)
		if e > best.evidence {
			lo, hi := math.Exp(logs[from]), math.Exp(logs[from+k-1])
			best = sizeBand{bytes: (lo + hi) / 2, spread: (hi - lo) / (hi + lo), in: k, of: n,
				share: float64(k) / float64(n), chance: chance, evidence: e}
		}
	}
	return best
}
