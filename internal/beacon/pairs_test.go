package beacon

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// sessions is two timers of one interval and jitter to the same destination, at any phase.
func sessions(n int, interval, jitter float64, seed uint64) Series {
	r := source(seed)
	first, second := renewal(n, jittered(r, interval, jitter), constant(151)), renewal(n, jittered(r, interval, jitter), constant(151))
	phase := duration(interval * r.Float64())
	for i := range second.At {
		second.At[i] += phase
	}
	return together(first, second)
}

func TestTwoSessionsOfOneImplant(t *testing.T) {
	s := newScorer(t)
	found, paired := 0, 0
	for seed := range uint64(200) {
		res := s.Score(sessions(40, 60, .2, seed))
		requireSound(t, res)
		if res.Score < DefaultThreshold {
			continue
		}
		found++
		if res.Second > 0 && math.Abs(res.Interval.Seconds()-60) < 9 && res.Second == res.Interval {
			paired++
		}
	}
	require.GreaterOrEqual(t, found, 180, "of 200")
	require.GreaterOrEqual(t, paired, 120, "of 200, by the interval of both")
}

// Where each gap makes up for the last but their sums are as random as before, nothing adds up.
func TestShortAndLongGapsAreNoPairs(t *testing.T) {
	s, r := newScorer(t), source(31)
	tried := 0
	for range 200 {
		f := renewal(60, func(i int) float64 {
			if i%2 == 0 {
				return 20 * math.Exp(.2*r.NormFloat64())
			}
			return 60 * math.Exp(.6*r.NormFloat64())
		}, constant(151))
		raw, _, _ := s.load(f)
		raw.measure()
		s.rank(raw)
		if raw.compensates() {
			tried++
			require.Less(t, s.pairs(raw, 0).evidence, 1.0)
		}
	}
	require.Greater(t, tried, 50)
}

func TestUnrelatedGapsDoNotCompensate(t *testing.T) {
	s, r := newScorer(t), source(32)
	for range 100 {
		raw, _, _ := s.load(renewal(300, poisson(r, 60), constant(151)))
		raw.measure()
		s.rank(raw)
		require.False(t, raw.compensates())
	}
}

func TestErlangChanceIsTheMostOfAllRates(t *testing.T) {
	for _, r := range []float64{1.01, 1.5, 3, 20} {
		most := 0.0
		for a := .001; a < 40; a *= 1.001 {
			most = max(most, (1+a)*math.Exp(-a)-(1+r*a)*math.Exp(-r*a))
		}
		require.InDelta(t, most, erlangChance(r), 1e-6)
	}
	require.Equal(t, 0.0, erlangChance(1))
}
