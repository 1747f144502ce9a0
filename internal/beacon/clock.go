package beacon

import "math"

// grid returns 1 s if every gap is a whole number of seconds, else 0: the source has only whole seconds and did not say so.
// Where all gaps are alike they are a rhythm on whatever clock, known a little less exactly: a quarter of them at most.
func grid(gaps []float64) float64 {
	varied := false
	for _, g := range gaps {
		if math.Abs(g-math.Round(g)) > 1e-6*max(1, g*1e-6) {
			return 0
		}
		varied = varied || math.Round(g) != math.Round(gaps[0])
	}
	if !varied {
		return min(1, gaps[0]/4)
	}
	return 1
}

// widen opens the band [lo, hi] so that it holds all that could have been seen as the gaps from least to most, given that
// each is off by the uncertainty (all in logarithms of seconds but the last). It is not ok where the clock cannot tell a
// rhythm from its own grid: polling slower than the sender sees every gap as one or two polls, whatever the sender does.
func widen(lo, hi, least, most, uncertainty float64) (float64, float64, bool) {
	low := min(math.Exp(lo), math.Exp(least)-uncertainty/2)
	high := max(math.Exp(hi), math.Exp(most)+uncertainty/2)
	if low <= uncertainty {
		return lo, hi, false
	}
	return math.Log(low), math.Log(high), true
}
