package corpus

import (
	"math"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// ritaResult is what RITA v5 hands back for one pair: the score, and the intervals and sizes with how often each occurred,
// which it keeps for its graphs.
type ritaResult struct {
	score                        float64
	intervals, sizes             []int64
	intervalCounts, sizeCounts   []int64
	commonInterval, commonSize   int64
	commonIntervals, commonSizes int64
}

// ritaPlain computes the same score as rita.score with everything RITA returns beside it, written the plain way RITA is:
// fresh memory for each flow and a sorted copy for each statistic. It stands in the table of prices next to our lean
// implementation, so that the price of the formula and the price of the program can be told apart.
func ritaPlain(f simulate.Flow) ritaResult {
	var r ritaResult
	var gaps, sizes []float64
	distinct := 0
	for i := 1; i < len(f.At); i++ {
		gap := float64(f.At[i]/time.Second - f.At[i-1]/time.Second)
		if gap > 0 {
			distinct++
		}
		gaps = append(gaps, gap)
	}
	if distinct < 3 {
		return r
	}
	for _, b := range f.Bytes {
		sizes = append(sizes, float64(b))
	}
	slices.Sort(gaps)
	slices.Sort(sizes)
	r.intervals, r.intervalCounts, r.commonInterval, r.commonIntervals = occurrences(gaps)
	r.sizes, r.sizeCounts, r.commonSize, r.commonSizes = occurrences(sizes)
	histogram, duration := ritaShape(f)
	r.score = (plainSteady(gaps[len(gaps)-distinct:], 1) + plainSteady(sizes, 0) + histogram + duration) / 4
	return r
}

// occurrences returns the distinct values of a sorted list, how often each occurs, and the commonest with its count.
func occurrences(sorted []float64) (values, counts []int64, mode, most int64) {
	times := map[int64]int64{}
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			values = append(values, int64(v))
		}
		times[int64(v)]++
	}
	for _, v := range values {
		counts = append(counts, times[v])
		if times[v] > most {
			mode, most = v, times[v]
		}
	}
	return values, counts, mode, most
}

// plainSteady is rita.steady, each quantile from a copy of its own.
func plainSteady(values []float64, unknown float64) float64 {
	quartile := func(from, to int) float64 {
		sorted := slices.Clone(values)
		slices.Sort(sorted)
		return middle(sorted[from:to])
	}
	n := len(values)
	q1, q2, q3 := quartile(0, n/2), quartile(0, n), quartile((n+1)/2, n)
	symmetry := 1.0
	if q3-q1 >= 10 && q2 != q1 && q2 != q3 {
		symmetry = 1 - math.Abs((q1+q3-2*q2)/(q3-q1))
	}
	concentration := unknown
	if middle := medianOf(values); middle >= 1 {
		away := make([]float64, n)
		for i, v := range values {
			away[i] = math.Abs(v - middle)
		}
		concentration = max(0, (middle-medianOf(away))/middle)
	}
	return (symmetry + concentration) / 2
}

// medianOf returns the median of a list in any order, which it leaves as it is.
func medianOf(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return middle(sorted)
}
