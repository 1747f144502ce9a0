package beacon

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sortedLogs returns a reading with the sorted logarithms of so many gaps.
func sortedLogs(n int, gap func(int) float64) *reading {
	r := &reading{}
	for i := range n {
		r.sorted = append(r.sorted, math.Log(gap(i)))
	}
	slices.Sort(r.sorted)
	return r
}

func TestTailsAreSharesWhateverTheUnit(t *testing.T) {
	random := source(11)
	for range 300 {
		n := 5 + random.IntN(300)
		spread := 3 * random.Float64()
		r := sortedLogs(n, func(int) float64 { return math.Exp(spread * random.NormFloat64()) })
		minutes := &reading{}
		for _, y := range r.sorted {
			minutes.sorted = append(minutes.sorted, y-math.Log(60))
		}
		from := random.IntN(n - 1)
		next := from + 1 + random.IntN(n-from-1)
		width := 0.04 + 1.7*random.Float64()
		for name, share := range map[string]func(*reading) float64{
			"falling": func(r *reading) float64 { return r.falling(from, next, width) },
			"waiting": func(r *reading) float64 { return r.waiting(from, next, width) },
			"edge":    func(r *reading) float64 { return r.edge(next, width) },
		} {
			require.GreaterOrEqual(t, share(r), 0.0, name)
			require.LessOrEqual(t, share(r), 1.0, name)
			require.InDelta(t, share(r), share(minutes), 1.0/float64(n)+1e-9, "%s: a gap on the edge may fall to either side", name)
		}
	}
}

// A least time and an exponential wait must be taken for what they are, and jitter for what it is.
func TestWaitingKnowsALeastTimeFromJitter(t *testing.T) {
	random := source(12)
	const n = 4000
	width := math.Log((1 + .55) / (1 - .55))
	for _, wait := range []float64{0.5, 1, 3} {
		r := sortedLogs(n, func(int) float64 { return 60 * (1 + wait*random.ExpFloat64()) })
		in := upTo(r.sorted, r.sorted[0]+width)
		require.InDelta(t, float64(in)/n, r.waiting(0, in, width), 0.04, "wait of %v times the least time", wait)
	}
	r := sortedLogs(n, func(int) float64 { return 60 * (1 + .55*(2*random.Float64()-1)) })
	require.Less(t, r.waiting(0, n, width), 0.8, "all of the gaps are in the band")
}
