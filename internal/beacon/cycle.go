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
	for k := 2; k <= cycleMost && n >= cycleTurns*k; k++ {
		hits := [len(cycleWidths)]int{}
		for i, y := range r.logs[k:] {
			d := math.Abs(y - r.logs[i])
			for c, w := range cycleWidths {
				if d <= w {
					hits[c]++
				}
			}
		}
		for c, w := range cycleWidths {
			m := float64(n - k)
			share := wilsonLower(float64(hits[c]), m, wilsonZ)
			if share < cycleShare {
				continue
			}
			// the ratio of two exponential waiting times is log-logistic: P(|ln ratio| ≤ w) = tanh(w/2)
			chance := max(alike(r.sorted, w), math.Tanh(w/2))
			e := worth(m, divergence(share, chance)) - cycleCost
			if e <= 0 || e <= best.evidence {
				continue
			}
			marks := s.marks[:0]
			for i, y := range r.logs {
				marks = append(marks, i >= k && math.Abs(y-r.logs[i-k]) <= w)
			}
			s.marks = marks
			turn := float64(k) * r.mean
			if e *= r.standing(marks, turn, 0); e > best.evidence {
				best.band = band{lo: turn * math.Exp(-w), hi: turn * math.Exp(w), in: hits[c], of: n - k,
					share: float64(hits[c]) / m, chance: chance, evidence: e}
			}
		}
	}
	return best
}

// cycleWidths are the widths, in logarithms, within which two gaps are alike.
var cycleWidths = [...]float64{0.03, 0.08, 0.2}

// alike returns the share of the pairs of sorted values that differ by at most w.
func alike(sorted []float64, w float64) float64 {
	pairs, j := 0, 0
	for i, y := range sorted {
		for y-sorted[j] > w {
			j++
		}
		pairs += i - j
	}
	n := len(sorted)
	return float64(2*pairs) / float64(n*(n-1))
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
