package beacon

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// repeated is a pattern of gaps in seconds, over and over.
func repeated(times int, pattern ...float64) (gaps []float64) {
	for range times {
		gaps = append(gaps, pattern...)
	}
	return gaps
}

// TestPeriodIsWhereNearlyAllGapsAre: a late check-in or two do not move the period that people go looking for.
func TestPeriodIsWhereNearlyAllGapsAre(t *testing.T) {
	r := source(51)
	var timer, wide []float64
	for range 200 {
		timer = append(timer, 2+.001*r.NormFloat64())
		wide = append(wide, 48+24*r.Float64())
	}
	tests := map[string]struct {
		gaps     []float64
		interval float64 // seconds
		within   float64
		jitter   float64 // at most
		share    float64 // at least
	}{
		"one late":           {slices.Concat(repeated(30, 60), []float64{100}, repeated(29, 60)), 60, .001, .001, .98},
		"one very late":      {slices.Concat(repeated(30, 60), []float64{400}, repeated(29, 60)), 60, .001, .001, .98},
		"one in six late":    {repeated(10, 60, 60, 60, 60, 60, 90), 60, .001, .001, .83},
		"a timer, one late":  {slices.Concat(timer, []float64{2.864}), 2, .001, .003, .98},
		"spread all over it": {wide, 60, .02, .21, .98},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			gaps := slices.Clone(tt.gaps)
			res := newScorer(t).Score(renewal(len(gaps)+1, func(i int) float64 { return gaps[i%len(gaps)] }, constant(90)))
			require.InEpsilon(t, tt.interval, res.Interval.Seconds(), tt.within)
			require.LessOrEqual(t, res.Jitter, tt.jitter)
			require.GreaterOrEqual(t, res.TimingShare, tt.share)
			require.Less(t, res.TimingChance, max(.03, res.Jitter), "so narrow a band holds little by chance")
		})
	}
}

func TestCoreOfABandOfOtherGaps(t *testing.T) {
	b := band{lo: 10, hi: 20, in: 40, of: 50, share: .8, chance: .3}
	require.Equal(t, b, b.told([]float64{math.Log(15)}, 0), "a band of several gaps at once is told as it is")
	require.Equal(t, time.Duration(0), duration(band{}.told(nil, 1).interval()))
}
