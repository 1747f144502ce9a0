package corpus

import (
	"math"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// elastic is the rule of Elastic's network beaconing package: six hours in buckets of a minute, and three tests, of which
// any one is a hit: sizes of the buckets vary by at most 5 %, their counts by at most 10 %, or the series of counts
// repeats itself with an autocovariance of 0.7. The score is how many tests pass, so it ties.
type elastic struct {
	counts, sizes         []float64
	usedCounts, usedSizes []float64
}

// score returns 0, 1, 2 or 3.
func (e *elastic) score(f simulate.Flow) float64 {
	const buckets, bucket = 360, time.Minute
	e.counts, e.sizes = grow(e.counts, buckets), grow(e.sizes, buckets)
	last := f.At[len(f.At)-1]
	for i, at := range f.At {
		if k := int((last - at) / bucket); k < buckets {
			e.counts[k]++
			e.sizes[k] += float64(f.Bytes[i])
		}
	}
	e.usedCounts, e.usedSizes = e.usedCounts[:0], e.usedSizes[:0]
	for k, n := range e.counts {
		if n > 0 {
			e.usedCounts = append(e.usedCounts, n)
			e.usedSizes = append(e.usedSizes, e.sizes[k])
		}
	}
	if len(e.usedCounts) < 3 {
		return 0
	}
	score := 0.0
	if coefficientOfVariation(e.usedSizes) <= 0.05 {
		score++
	}
	if coefficientOfVariation(e.usedCounts) <= 0.1 {
		score++
	}
	if autocovariance(e.counts) >= 0.7 {
		score++
	}
	return score
}

// autocovariance returns the largest of the normalised autocovariances at lags up to a quarter of the series.
func autocovariance(x []float64) float64 {
	var mean float64
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	var variance float64
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	if variance == 0 {
		return 1
	}
	best := math.Inf(-1)
	for lag := 1; lag <= len(x)/4; lag++ {
		var sum float64
		for i := lag; i < len(x); i++ {
			sum += (x[i] - mean) * (x[i-lag] - mean)
		}
		best = max(best, sum/variance)
	}
	return best
}

// grow returns a zeroed slice of length n, reusing x.
func grow(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	x = x[:n]
	clear(x)
	return x
}
