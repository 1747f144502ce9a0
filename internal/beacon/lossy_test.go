package beacon

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// erlang returns gaps of the given mean that are each the sum of so many exponential steps: random traffic with a hump.
func erlang(r *rand.Rand, mean float64, steps int) func(int) float64 {
	return func(int) float64 {
		sum := 0.0
		for range steps {
			sum += r.ExpFloat64()
		}
		return mean * sum / float64(steps)
	}
}

// lossyGaps returns gaps of the given period and jitter of which the given share is missed.
func lossyGaps(r *rand.Rand, period, jitter, loss float64) func(int) float64 {
	return func(int) float64 {
		sum := period * (1 + jitter*(2*r.Float64()-1))
		for r.Float64() < loss {
			sum += period * (1 + jitter*(2*r.Float64()-1))
		}
		return sum
	}
}

func firing(s *Scorer, flows int, draw func() Series) int {
	fired := 0
	for range flows {
		if s.Score(draw()).Score >= DefaultThreshold {
			fired++
		}
	}
	return fired
}

// Without lossy the first is found 69 times.
func TestWideJitterUnderHeavyLossIsFound(t *testing.T) {
	s, r := newScorer(t), source(31)
	require.GreaterOrEqual(t, firing(s, 100, func() Series {
		return renewal(400, lossyGaps(r, 60, .4, .3), constant(151))
	}), 85)
	require.GreaterOrEqual(t, firing(s, 100, func() Series {
		return renewal(400, lossyGaps(r, 60, .3, .4), func(int) uint64 { return 300 + r.Uint64N(4096) })
	}), 95)
}

func TestRandomTrafficWithAHumpStaysBelow(t *testing.T) {
	s, r := newScorer(t), source(32)
	for _, n := range []int{30, 100, 500} {
		draw := func() Series { return renewal(n, erlang(r, 60, 2), constant(151)) }
		require.LessOrEqual(t, firing(s, 300, draw), 9, "%d sends", n)
	}
}
