package corpus

import (
	"math"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// rita is the beacon score of RITA v5: a quarter each of the timestamp, size, histogram and duration scores. Its 24 hours
// are scaled to the window of the flow.
type rita struct {
	gaps, sizes, away []float64
}

const (
	ritaBars        = 24   // of the histogram
	ritaMinBars     = 6    // bars with traffic before there is a duration score
	ritaIdealRun    = 12   // a run of bars that earns the full duration score
	ritaModalBars   = 11   // bars with traffic before two modes are looked for
	ritaModalBucket = 0.05 // heights this close, of the highest bar, are one mode
)

// score returns a number in [0, 1]; 0 with fewer than 4 different whole seconds.
func (r *rita) score(f simulate.Flow) float64 {
	r.gaps = r.gaps[:0]
	for i := 1; i < len(f.At); i++ {
		if gap := f.At[i]/time.Second - f.At[i-1]/time.Second; gap > 0 {
			r.gaps = append(r.gaps, float64(gap))
		}
	}
	if len(r.gaps) < 3 {
		return 0
	}
	r.sizes = r.sizes[:0]
	for _, b := range f.Bytes {
		r.sizes = append(r.sizes, float64(b))
	}
	slices.Sort(r.gaps)
	slices.Sort(r.sizes)
	histogram, duration := ritaShape(f)
	return (r.steady(r.gaps, 1) + r.steady(r.sizes, 0) + histogram + duration) / 4
}

// steady is half symmetry (1 − |Bowley skewness|) and half concentration ((median − MAD) / median) of sorted values;
// unknown stands for the latter where the median is below 1.
func (r *rita) steady(sorted []float64, unknown float64) float64 {
	n := len(sorted)
	q1, q2, q3 := middle(sorted[:n/2]), middle(sorted), middle(sorted[(n+1)/2:])
	symmetry := 1.0
	if q3-q1 >= 10 && q2 != q1 && q2 != q3 {
		symmetry = 1 - math.Abs((q1+q3-2*q2)/(q3-q1))
	}
	concentration := unknown
	if q2 >= 1 {
		r.away = r.away[:0]
		for _, v := range sorted {
			r.away = append(r.away, math.Abs(v-q2))
		}
		slices.Sort(r.away)
		concentration = max(0, (q2-middle(r.away))/q2)
	}
	return (symmetry + concentration) / 2
}

// ritaShape returns the histogram score (the better of an even histogram and one with two heights) and the duration score
// (the better of coverage and the longest run).
func ritaShape(f simulate.Flow) (histogram, duration float64) {
	var bars [ritaBars]int
	window := max(f.Window, time.Second)
	used, highest := 0, 0
	for _, at := range f.At {
		i := min(int(int64(at)*ritaBars/int64(window)), ritaBars-1)
		if bars[i]++; bars[i] == 1 {
			used++
		}
		highest = max(highest, bars[i])
	}
	mean := float64(len(f.At)) / ritaBars
	var square float64
	for _, b := range bars {
		square += (float64(b) - mean) * (float64(b) - mean)
	}
	histogram = max(0, 1-math.Sqrt(square/ritaBars)/mean, ritaModes(&bars, used, highest))
	if used >= ritaMinBars {
		coverage := float64(f.At[len(f.At)-1]-f.At[0]) / float64(window)
		duration = min(1, max(coverage, float64(longestRun(&bars))/ritaIdealRun))
	}
	return histogram, duration
}

// ritaModes is the share of the used bars, one outlier forgiven, that have one of the two commonest heights.
func ritaModes(bars *[ritaBars]int, used, highest int) float64 {
	if used < ritaModalBars {
		return 0
	}
	bucket := int(math.Ceil(float64(highest) * ritaModalBucket))
	var counts [ritaBars + 1]int // highest/bucket is at most 1/ritaModalBucket = 20
	for _, b := range bars {
		if b > 0 {
			counts[b/bucket]++
		}
	}
	slices.Sort(counts[:])
	return min(1, float64(counts[ritaBars]+counts[ritaBars-1])/float64(max(used-1, 1)))
}

// longestRun is the longest run of bars with traffic, the last followed by the first again.
func longestRun(bars *[ritaBars]int) int {
	longest, run := 0, 0
	for i := range 2 * ritaBars {
		if bars[i%ritaBars] == 0 {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return min(longest, ritaBars)
}
