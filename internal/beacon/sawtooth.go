package beacon

import "math"

// sawtooth looks for an interval that grows by the same step from beat to beat and starts over now and then, as that of
// Metasploit's payloads does whenever they are tasked. No straight line fits such a flow, but its steps are alike and all
// of one sign, whereas the steps of random gaps, of a jittered interval and of a wandering rate go down as they go up.
func (s *Scorer) sawtooth(r *reading, uncertainty float64) rhythm {
	best := rhythm{reading: r, kind: Ramp, band: band{of: len(r.gaps), evidence: math.Inf(-1)}}
	n := float64(len(r.gaps) - 1)
	rises := 0
	for i, g := range r.gaps[1:] {
		if g > r.gaps[i] {
			rises++
		}
	}
	if float64(rises) < toothRise*n {
		return best
	}
	up, down := s.steps(r.gaps)
	from, k := 0, 0
	for w, width := range s.widths.log {
		from, k = fullest(up, width, from, k)
		if float64(k) < toothShare*n {
			continue
		}
		lo, hi := up[from], up[from+k-1]
		if math.Exp(lo) <= toothGrid*uncertainty {
			continue
		}
		share := wilsonLower(float64(k), n, wilsonZ)
		// as many steps down of that size, or a smooth mixture of steps of every size, half of them up
		mirrored := (float64(upTo(down, hi)-upTo(down, lo-1e-9)) + 1) / n
		own := s.normal.blurred(up, (lo+hi-width)/2, (lo+hi+width)/2, blur) / 2
		chance := max(mirrored, own)
		e := worth(n, divergence(share, chance)) - s.widths.cost[w] - trendCost
		if e <= 0 || e <= best.evidence {
			continue
		}
		marks, mean := append(s.marks[:0], false), 0.0
		for i, g := range r.gaps[1:] {
			step := logOf(g - r.gaps[i])
			marks = append(marks, step >= lo && step <= hi)
			if marks[i+1] {
				mean += g / float64(k)
			}
		}
		s.marks = marks
		if e *= r.standing(marks, mean, 0) * habit(share); e > best.evidence {
			half := (hi - lo) / 2
			best.band = band{lo: mean * math.Exp(-half), hi: mean * math.Exp(half), in: k, of: len(r.gaps) - 1,
				share: float64(k) / n, chance: chance, evidence: e}
		}
	}
	return best
}

const (
	// toothRise is the least share of the steps that must go up; random ones come near it only where they are few.
	toothRise = 0.6
	// toothShare is the least share of the steps that must be alike.
	toothShare = 0.4
	// toothGrid: a step of fewer grains of the clock than this may be the clock's.
	toothGrid = 4.0
)

// steps returns the sorted logarithms of how much longer, and of how much shorter, each gap is than the one before.
func (s *Scorer) steps(gaps []float64) (up, down []float64) {
	both := s.sizes[:0]
	for i, g := range gaps[1:] {
		if step := g - gaps[i]; step > 0 {
			both = append(both, logOf(step))
		}
	}
	ups := len(both)
	for i, g := range gaps[1:] {
		if step := g - gaps[i]; step < 0 {
			both = append(both, logOf(-step))
		}
	}
	s.sizes = both
	up, down = both[:ups], both[ups:]
	s.room = sortSpread(up, s.room)
	s.room = sortSpread(down, s.room)
	return up, down
}
