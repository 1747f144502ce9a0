package beacon

import "math"

// grid returns 1 s if every gap is a whole number of seconds and they are not all alike, else 0: the source has only whole
// seconds and did not say so. Gaps that are all alike are a rhythm, on whatever clock.
func grid(gaps []float64) float64 {
	varied := false
	for _, g := range gaps {
		if math.Abs(g-math.Round(g)) > 1e-6*max(1, g*1e-6) {
			return 0
		}
		varied = varied || math.Round(g) != math.Round(gaps[0])
	}
	if !varied {
		return 0
	}
	return 1
}
