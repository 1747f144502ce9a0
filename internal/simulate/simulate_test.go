package simulate

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClassesAreDistinctAndHoldOutEnough(t *testing.T) {
	seen := map[string]bool{}
	counts := map[Use]map[Kind]int{Tuned: {}, HeldOut: {}, Unseen: {}}
	for _, c := range Classes() {
		require.NotEmpty(t, c.About, c.Name)
		require.False(t, seen[c.Name], "%s twice", c.Name)
		seen[c.Name] = true
		counts[c.Use][c.Kind]++
	}
	for use, of := range counts {
		require.GreaterOrEqual(t, of[Implant], 8, use)
		require.GreaterOrEqual(t, of[Aperiodic], 8, use)
		require.GreaterOrEqual(t, of[Periodic], 4, use)
	}
}

func TestFlowsAreSoundRecords(t *testing.T) {
	for _, c := range Classes() {
		t.Run(c.Name, func(t *testing.T) {
			for i := range 40 {
				f := c.Flow(1, i)
				require.GreaterOrEqual(t, len(f.At), 6, "flow %d", i)
				require.LessOrEqual(t, len(f.At), maxSends)
				require.Len(t, f.Bytes, len(f.At))
				require.True(t, slices.IsSorted(f.At))
				require.GreaterOrEqual(t, f.At[0], time.Duration(0))
				require.LessOrEqual(t, f.At[len(f.At)-1], f.Window)
				require.Positive(t, f.Resolution)
				require.Positive(t, slices.Min(f.Bytes))
				require.Equal(t, c.Use, f.Use)
				for _, at := range f.At {
					require.Zero(t, at%f.Resolution)
				}
			}
		})
	}
}

func TestFlowsRepeatBySeed(t *testing.T) {
	for _, c := range Classes() {
		require.Equal(t, c.Flow(7, 3), c.Flow(7, 3), c.Name)
		require.NotEqual(t, c.Flow(7, 3).At, c.Flow(8, 3).At, c.Name)
		require.NotEqual(t, c.Flow(7, 3).At, c.Flow(7, 4).At, c.Name)
	}
}

func TestFlowsYieldsEveryClassAndStops(t *testing.T) {
	count := 0
	for range Flows(1, 2) {
		count++
	}
	require.Equal(t, 2*len(Classes()), count)
	for range Flows(1, 2) {
		count--
		break
	}
	require.Equal(t, 2*len(Classes())-1, count)
}

func TestExactHasExactlyThatManyBeatsInItsBand(t *testing.T) {
	for _, n := range []int{6, 10, 200} {
		for i := range 50 {
			f := Exact(3, n, 0.2, i)
			require.Len(t, f.At, n)
			lo, hi := time.Duration(math.MaxInt64), time.Duration(0)
			for k := 1; k < n; k++ {
				gap := f.At[k] - f.At[k-1]
				lo, hi = min(lo, gap), max(hi, gap)
			}
			// the check-in itself takes up to 0.4 s, and a clock blurs each gap by one tick either way
			slack := 2*f.Resolution.Seconds() + 0.4
			require.LessOrEqual(t, hi.Seconds()-slack, 1.5*(lo.Seconds()+slack), "flow %d", i)
		}
	}
}

func TestHeadKeepsTheFirstSends(t *testing.T) {
	f := Poisson(1, 30, 0)
	require.Equal(t, f, f.Head(30))
	h := f.Head(7)
	require.Len(t, h.At, 7)
	require.Len(t, h.Bytes, 7)
	require.LessOrEqual(t, h.At[6], h.Window)
	require.Len(t, f.At, 30)
}

func TestDrawsHaveTheirMeans(t *testing.T) {
	s := newScript(1, "draws", 0)
	mean := func(draw func() float64) float64 {
		var sum float64
		for range 40_000 {
			sum += draw()
		}
		return sum / 40_000
	}
	require.InDelta(t, 5, mean(func() float64 { return s.gamma(0.5, 5) }), 0.2)
	require.InDelta(t, 5, mean(func() float64 { return s.gamma(3, 5) }), 0.1)
	require.InDelta(t, 5, mean(func() float64 { return s.exponential(5) }), 0.1)
	require.InDelta(t, 2, mean(func() float64 { return s.weibull(2, 1) }), 0.1)
	require.InDelta(t, 3, mean(func() float64 { return s.pareto(2, 3) }), 0.1)
	require.InDelta(t, 6, mean(func() float64 { return s.between(4, 8) }), 0.05)
}
