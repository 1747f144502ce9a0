package beacon

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func newScorer(t testing.TB) *Scorer {
	s, err := NewScorer(Config{})
	require.NoError(t, err)
	return s
}

// at is a flow of sends at the given seconds, all of one size.
func at(bytes uint64, seconds ...float64) Series {
	var f Series
	for _, s := range seconds {
		f.At = append(f.At, time.Duration(math.Round(s*1e9)))
		f.Bytes = append(f.Bytes, bytes)
	}
	return f
}

// renewal is a flow of n sends whose gaps, in seconds, and bytes come from the two functions.
func renewal(n int, gap func(i int) float64, bytes func(i int) uint64) Series {
	var f Series
	now := 0.0
	for i := range n {
		f.At = append(f.At, time.Duration(now*float64(time.Second)))
		f.Bytes = append(f.Bytes, bytes(i))
		now += gap(i)
	}
	return f
}

// together is two flows as one, unsorted.
func together(a, b Series) Series {
	return Series{At: append(a.At, b.At...), Bytes: append(a.Bytes, b.Bytes...)}
}

func constant(b uint64) func(int) uint64 { return func(int) uint64 { return b } }

func exactly(interval float64) func(int) float64 { return func(int) float64 { return interval } }

func jittered(r *rand.Rand, interval, jitter float64) func(int) float64 {
	return func(int) float64 { return interval * (1 + jitter*(2*r.Float64()-1)) }
}

func poisson(r *rand.Rand, mean float64) func(int) float64 {
	return func(int) float64 { return mean * r.ExpFloat64() }
}

func requireSound(t testing.TB, r Result) {
	t.Helper()
	for name, x := range map[string]float64{"jitter": r.Jitter, "timing share": r.TimingShare, "timing chance": r.TimingChance,
		"timing evidence": r.TimingEvidence, "size": r.Size, "size spread": r.SizeSpread, "size share": r.SizeShare,
		"size evidence": r.SizeEvidence, "evidence": r.Evidence, "score": r.Score, "confidence": r.Confidence,
		"failed share": r.FailedShare} {
		require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%s is %v", name, x)
	}
	for name, x := range map[string]float64{"timing share": r.TimingShare, "timing chance": r.TimingChance,
		"size share": r.SizeShare, "score": r.Score, "confidence": r.Confidence, "failed share": r.FailedShare,
		"jitter": r.Jitter, "size spread": r.SizeSpread} {
		require.True(t, x >= 0 && x <= 1, "%s is %v", name, x)
	}
	require.GreaterOrEqual(t, r.Interval, time.Duration(0))
	require.GreaterOrEqual(t, r.Second, time.Duration(0))
	require.GreaterOrEqual(t, r.SizeEvidence, 0.0)
	require.NotEmpty(t, r.Reason())
}
