package beacon

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNormalTable(t *testing.T) {
	table := newNormalTable()
	for x := -6.0; x <= 6; x += .013 {
		require.InDelta(t, .5*math.Erfc(-x/math.Sqrt2), table.at(x), 1e-4)
	}
	require.Equal(t, 0.0, table.at(math.Inf(-1)))
	require.Equal(t, 1.0, table.at(math.Inf(1)))
}

func TestBlurredIsADistribution(t *testing.T) {
	table, r := newNormalTable(), source(20)
	for _, n := range []int{1, 2, 31, 33, 500} {
		sorted := make([]float64, n)
		for i := range sorted {
			sorted[i] = 5 * r.NormFloat64()
		}
		slices.Sort(sorted)
		require.InDelta(t, 1, table.blurred(sorted, math.Inf(-1), math.Inf(1), blur), 1e-9)
		lower, upper := table.blurred(sorted, -40, .3, blur), table.blurred(sorted, .3, 40, blur)
		require.InDelta(t, 1, lower+upper, 1e-9)
		require.GreaterOrEqual(t, lower, 0.0)
	}
}

func TestPoissonChanceIsTheMostOfAllRates(t *testing.T) {
	for _, r := range []float64{1.01, 1.5, 3, 20} {
		most := 0.0
		for a := .001; a < 20; a *= 1.001 {
			most = max(most, math.Exp(-a)-math.Exp(-r*a))
		}
		require.InDelta(t, most, poissonChance(r), 1e-6)
	}
	require.Equal(t, 0.0, poissonChance(1))
}

func TestDivergence(t *testing.T) {
	require.Equal(t, 0.0, divergence(.3, .3))
	require.Equal(t, 0.0, divergence(.2, .3), "less than chance is no evidence")
	require.InDelta(t, math.Log(2), divergence(1, .5), 1e-12)
	require.InDelta(t, .8*math.Log(4)+.2*math.Log(.25), divergence(.8, .2), 1e-12)
	require.False(t, math.IsInf(divergence(1, 0), 0))
	for p := .1; p < 1; p += .1 {
		require.Greater(t, divergence(p+.05, .1), divergence(p, .1))
	}
}

func TestWilsonLower(t *testing.T) {
	require.InDelta(t, .4902, wilsonLower(8, 10, 1.96), 1e-4)
	require.Equal(t, 0.0, wilsonLower(0, 10, 1))
	for n := 2.0; n < 500; n *= 2 {
		low := wilsonLower(n, n, wilsonZ)
		require.InDelta(t, n/(n+1), low, 1e-9) // n/(n+z²)
		require.Less(t, wilsonLower(n-1, n, wilsonZ), low)
	}
}

func TestWorth(t *testing.T) {
	require.Equal(t, 0.0, worth(100, margin))
	require.InDelta(t, 100-100*margin, worth(100, 1), 1e-9)
	require.InDelta(t, -ordinary, worth(1e6, 0), 1e-9, "however many beats")
	require.InDelta(t, -10*margin, worth(10, 0), 1e-9)
	require.InDelta(t, worth(firstBeats, .035), worth(5*firstBeats, .035), 1e-9, "no clearer for being longer")
	for _, nats := range []float64{-1, 0, margin, .035, lateMargin, .06, mostBeat, 9} {
		before := worth(1, nats)
		for n := 2.0; n < 600; n++ {
			now := worth(n, nats)
			require.LessOrEqual(t, math.Abs(now-before), mostBeat+margin+1e-9, "no jump at %v beats", n)
			require.True(t, nats < margin || now >= before, "%v beats of %v nats", n, nats)
			before = now
		}
	}
}

func TestFullestAgainstEveryWindow(t *testing.T) {
	r := source(21)
	for range 300 {
		sorted := make([]float64, 1+r.IntN(60))
		for i := range sorted {
			sorted[i] = float64(r.IntN(40)) / 4
		}
		slices.Sort(sorted)
		from, count := 0, 0
		for width := 0.0; width < 12; width += .7 {
			from, count = fullest(sorted, width, from, count)
			require.LessOrEqual(t, sorted[from+count-1]-sorted[from], width)
			most := 0
			for _, lo := range sorted {
				most = max(most, upTo(sorted, lo+width)-upTo(sorted, math.Nextafter(lo, -1)))
			}
			require.Equal(t, most, count)
			at, beside := fullestBeside(sorted, width, from, from+count)
			require.LessOrEqual(t, beside, count)
			require.True(t, beside == 0 || at+beside <= from || at >= from+count)
		}
	}
}

func TestSortSpreadSorts(t *testing.T) {
	r := source(22)
	var room []float64
	for range 300 {
		x := make([]float64, r.IntN(600))
		for i := range x {
			switch r.IntN(3) {
			case 0:
				x[i] = r.NormFloat64()
			case 1:
				x[i] = float64(r.IntN(5))
			default:
				x[i] = 40 * r.Float64()
			}
		}
		if len(x) > 0 && r.IntN(4) == 0 {
			x[0] = 1e12 // everything else in one bucket
		}
		want := slices.Clone(x)
		slices.Sort(want)
		room = sortSpread(x, room)
		require.Equal(t, want, x)
	}
}

func TestAlike(t *testing.T) {
	require.Equal(t, 1.0, alike([]float64{2, 2, 2}, .1))
	require.InDelta(t, 1.0/3, alike([]float64{1, 1.05, 3}, .1), 1e-12)
	require.Equal(t, 0.0, alike([]float64{1, 2, 3}, .1))
}

func TestWeightsAreMonotonousAndBounded(t *testing.T) {
	for name, f := range map[string]func(float64) float64{"paced": paced, "chosen": chosen, "habit": habit,
		"ramp": func(x float64) float64 { return ramp(x, .2, .8) }} {
		before := -1.0
		for x := 0.0; x < 1e9; x = 1.1*x + .001 {
			w := f(x)
			require.True(t, w >= before && w <= 1 && w >= 0, "%s at %v", name, x)
			before = w
		}
		require.InDelta(t, 1, f(1e9), 1e-9, name)
	}
}

func TestSoften(t *testing.T) {
	require.Equal(t, -3.0, soften(-3))
	require.Equal(t, softFrom, soften(softFrom))
	require.InDelta(t, 1, (soften(softFrom+1e-6)-softFrom)/1e-6, 1e-3, "the slope goes on")
	require.Greater(t, soften(1e6), soften(1e5))
}
