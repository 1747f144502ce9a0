package beacon

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// renewal is a flow of n sends whose gaps, in seconds, and bytes come from the two functions.
func renewal(n int, gap func(i int) float64, bytes func(i int) uint64) Series {
	var f Series
	at := 0.0
	for i := range n {
		f.At = append(f.At, time.Duration(at*float64(time.Second)))
		f.Bytes = append(f.Bytes, bytes(i))
		at += gap(i)
	}
	return f
}

func constant(b uint64) func(int) uint64 { return func(int) uint64 { return b } }

func jittered(r *rand.Rand, interval, jitter float64) func(int) float64 {
	return func(int) float64 { return interval * (1 + jitter*(2*r.Float64()-1)) }
}

func poisson(r *rand.Rand, mean float64) func(int) float64 {
	return func(int) float64 { return mean * r.ExpFloat64() }
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func newScorer(t testing.TB) *Scorer {
	s, err := NewScorer(Config{})
	require.NoError(t, err)
	return s
}

func requireFinite(t testing.TB, r Result) {
	t.Helper()
	for name, x := range map[string]float64{"jitter": r.Jitter, "timing share": r.TimingShare, "timing chance": r.TimingChance,
		"timing evidence": r.TimingEvidence, "size": r.Size, "size spread": r.SizeSpread, "size share": r.SizeShare,
		"size evidence": r.SizeEvidence, "evidence": r.Evidence, "score": r.Score, "confidence": r.Confidence,
		"failed share": r.FailedShare} {
		require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%s is %v", name, x)
	}
	for name, x := range map[string]float64{"timing share": r.TimingShare, "timing chance": r.TimingChance,
		"size share": r.SizeShare, "score": r.Score, "confidence": r.Confidence, "failed share": r.FailedShare} {
		require.True(t, x >= 0 && x <= 1, "%s is %v", name, x)
	}
	require.GreaterOrEqual(t, r.Interval, time.Duration(0))
	require.NotEmpty(t, r.Reason())
}

func TestBeaconsScoreAboveTheThreshold(t *testing.T) {
	r := source(1)
	tests := []struct {
		name     string
		flow     Series
		interval time.Duration
	}{
		{"exact", renewal(20, func(int) float64 { return 60 }, constant(151)), time.Minute},
		{"20 % jitter", renewal(60, jittered(r, 60, .2), constant(151)), time.Minute},
		{"50 % jitter", renewal(200, jittered(r, 60, .5), constant(151)), time.Minute},
		{"no bytes known", renewal(60, jittered(r, 60, .2), constant(0)), time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := newScorer(t).Score(tt.flow)
			requireFinite(t, res)
			require.GreaterOrEqual(t, res.Score, DefaultThreshold, res.Reason())
			require.InEpsilon(t, tt.interval.Seconds(), res.Interval.Seconds(), .2)
			require.Contains(t, res.ReasonCodes(), "regular_timing")
			require.False(t, res.Insufficient)
		})
	}
}

func TestSteadyRandomSendersStayBelow(t *testing.T) {
	s, r := newScorer(t), source(2)
	for _, n := range []int{6, 10, 20, 50, 200, 500} {
		fired := 0
		for range 1000 {
			if s.Score(renewal(n, poisson(r, 60), constant(100))).Score >= DefaultThreshold {
				fired++
			}
		}
		require.LessOrEqual(t, fired, 10, "%d sends", n)
	}
}
