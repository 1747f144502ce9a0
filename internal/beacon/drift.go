package beacon

// drifts says whether the gaps in the band wander slowly instead of scattering: neighbours differ much less than any two
// (von Neumann's ratio, 2 for independent gaps). A reason for people; the band carries the evidence.
func (r *reading) drifts(b band) bool {
	in, pairs, mean := 0, 0, 0.0
	for _, g := range r.gaps {
		if g >= b.lo && g <= b.hi {
			in++
			mean += g
		}
	}
	if in < driftLeast {
		return false
	}
	mean /= float64(in)
	steps, spread := 0.0, 0.0
	for i, g := range r.gaps {
		if g < b.lo || g > b.hi {
			continue
		}
		spread += (g - mean) * (g - mean) / float64(in)
		if i == 0 {
			continue
		}
		if before := r.gaps[i-1]; before >= b.lo && before <= b.hi {
			pairs++
			steps += (g - before) * (g - before)
		}
	}
	return pairs >= driftLeast/2 && steps/float64(pairs) < driftRatio*spread
}

const (
	// driftLeast: with sixteen gaps a ratio below driftRatio is three standard deviations from chance.
	driftLeast = 16
	// driftRatio is von Neumann's ratio below which gaps wander.
	driftRatio = 0.7
)
