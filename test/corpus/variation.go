package corpus

import (
	"math"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// variation ranks by the coefficient of variation (standard deviation over mean): near optimal on a clean renewal flow,
// useless beside outliers.
type variation struct {
	gaps, sizes []float64
}

// unknownVariation stands for the coefficient of variation of too few values, or of sizes nobody recorded.
const unknownVariation = 2

// gapsOnly returns minus the coefficient of variation of the gaps: 0 for a metronome, −1 for a Poisson process.
func (v *variation) gapsOnly(f simulate.Flow) float64 {
	v.gaps = v.gaps[:0]
	for i := 1; i < len(f.At); i++ {
		v.gaps = append(v.gaps, (f.At[i] - f.At[i-1]).Seconds())
	}
	return -coefficientOfVariation(v.gaps)
}

// gapsAndSizes returns minus the sum of the coefficients of variation of gaps and sizes.
func (v *variation) gapsAndSizes(f simulate.Flow) float64 {
	v.sizes = v.sizes[:0]
	for _, b := range f.Bytes {
		v.sizes = append(v.sizes, float64(b))
	}
	return v.gapsOnly(f) - coefficientOfVariation(v.sizes)
}

func coefficientOfVariation(values []float64) float64 {
	var mean, square float64
	for _, x := range values {
		mean += x
	}
	mean /= float64(len(values))
	if len(values) < 3 || mean == 0 {
		return unknownVariation
	}
	for _, x := range values {
		square += (x - mean) * (x - mean)
	}
	return math.Sqrt(square/float64(len(values))) / mean
}
