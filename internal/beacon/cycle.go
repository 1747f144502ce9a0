package beacon

import "math"

// cycle looks for a pattern of several gaps that repeats, such as minutes 0, 15 and 45 of every hour: each gap is like the
// one k before it, more often than it is like any other gap of the flow, and more often than two gaps of a random sender
// are alike.
func (s *Scorer) cycle(r *reading, uncertainty float64) rhythm {
	n := len(r.logs)
	best := rhythm{reading: r, kind: Cycle, step: r.mean, band: band{of: n, evidence: math.Inf(-1)}}
	if r.mean <= 2*uncertainty {
		return best
	}
	for _, w := range [...]float64{0.03, 0.08, 0.2} {
		alike := 0
		for _, y := range r.sorted {
			alike += upTo(r.sorted, y+w) - upTo(r.sorted, y-w) - 1
		}
		// the ratio of two exponential waiting times is log-logistic: P(|ln ratio| ≤ w) = tanh(w/2)
		chance := max(float64(alike)/float64(n*(n-1)), math.Tanh(w/2))
		for k := 2; k <= cycleMost && n >= cycleTurns*k; k++ {
			marks := s.marks[:0]
			for range k {
				marks = append(marks, false)
			}
			hits := 0
			for i := k; i < n; i++ {
				is := math.Abs(r.logs[i]-r.logs[i-k]) <= w
				if is {
					hits++
				}
				marks = append(marks, is)
			}
			s.marks = marks
			m := float64(n - k)
			share := wilsonLower(float64(hits), m, wilsonZ)
			e := m*(divergence(share, chance)-margin) - cycleCost
			if share < cycleShare || e <= best.evidence {
				continue
			}
			turn := float64(k) * r.mean
			if e *= r.standing(marks, turn, 0); e > best.evidence {
				best.band = band{lo: turn * math.Exp(-w), hi: turn * math.Exp(w), in: hits, of: n - k, share: float64(hits) / m,
					chance: chance, evidence: e}
			}
		}
	}
	return best
}

const (
	// cycleMost is the longest pattern looked for, in gaps; a longer one repeats too seldom in 512 gaps.
	cycleMost = 6
	// cycleTurns: a pattern seen fewer than four times is an anecdote.
	cycleTurns = 4
	// cycleShare is the least share of gaps that must repeat: neighbouring gaps of ordinary traffic are alike too.
	cycleShare = 0.5
	// cycleCost is the price of the search over patterns and widths, in nats.
	cycleCost = 5.0
)
