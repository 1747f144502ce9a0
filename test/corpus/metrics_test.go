package corpus

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// ranked makes samples of weight 1 from the scores of positives and negatives.
func ranked(positives, negatives []float64) []Sample {
	var samples []Sample
	for _, s := range positives {
		samples = append(samples, Sample{Class: "p", Positive: true, Score: s, Weight: 1})
	}
	for _, s := range negatives {
		samples = append(samples, Sample{Class: "n", Score: s, Weight: 1})
	}
	return samples
}

func TestAUC(t *testing.T) {
	tests := []struct {
		name                 string
		positives, negatives []float64
		want                 float64
	}{
		{"separated", []float64{3, 4}, []float64{1, 2}, 1},
		{"reversed", []float64{1, 2}, []float64{3, 4}, 0},
		{"all tied", []float64{1, 1, 1}, []float64{1, 1}, 0.5},
		{"one tie of four pairs", []float64{2, 3}, []float64{1, 2}, 0.875},
		{"interleaved", []float64{2, 4}, []float64{1, 3}, 0.75},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.InDelta(t, test.want, AUC(ranked(test.positives, test.negatives)), 1e-12)
		})
	}
	require.True(t, math.IsNaN(AUC(ranked(nil, []float64{1}))))
}

func TestAUCKnowsOnlyTheOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		samples := make([]Sample, 40)
		for i := range samples {
			samples[i] = Sample{Positive: i%3 == 0, Score: float64(r.IntN(12)), Weight: 1}
		}
		want := AUC(samples)
		for i := range samples {
			samples[i].Score = math.Exp(samples[i].Score) - 7
		}
		require.InDelta(t, want, AUC(samples), 1e-12)
		for i := range samples {
			samples[i].Score = -samples[i].Score
		}
		require.InDelta(t, 1-want, AUC(samples), 1e-12)
	}
}

func TestMacroCountsClassesAlike(t *testing.T) {
	samples := ranked([]float64{1}, []float64{0, 0, 0, 0, 0, 0, 0, 0, 0})
	samples = append(samples, Sample{Class: "loud", Score: 2, Weight: 1})
	require.InDelta(t, 0.9, AUC(samples), 1e-12)
	require.InDelta(t, 0.5, AUC(Macro(samples)), 1e-12)
}

func TestThresholdAt(t *testing.T) {
	negatives := make([]float64, 100)
	for i := range negatives {
		negatives[i] = float64(i)
	}
	for _, fpr := range []float64{0, 0.01, 0.05, 0.5} {
		threshold := ThresholdAt(ranked(nil, negatives), fpr)
		require.InDelta(t, fpr, FalseAlarms(ranked(nil, negatives), threshold).Share, 1e-12)
	}
	tied := ranked([]float64{1, 2}, []float64{1, 1, 1, 0, 0})
	require.InDelta(t, 0, FalseAlarms(tied, ThresholdAt(tied, 0.5)).Share, 0, "a tie is not split")
	require.InDelta(t, 0.5, Recall(tied, ThresholdAt(tied, 0.5)).Share, 0)
	require.Equal(t, math.Inf(-1), ThresholdAt(tied, 1))
}

func TestRateHasWilsonBounds(t *testing.T) {
	r := NewRate(81, 263) // the worked example of Newcombe 1998
	require.InDelta(t, 0.2553, r.Low, 5e-5)
	require.InDelta(t, 0.3662, r.High, 5e-5)
	require.InDelta(t, 0, NewRate(0, 20).Low, 0)
	require.InDelta(t, 0.1611, NewRate(0, 20).High, 5e-5)
	require.InDelta(t, 1, NewRate(20, 20).High, 1e-12)
	require.True(t, math.IsNaN(NewRate(0, 0).Share))
}

func TestReliability(t *testing.T) {
	honest := make([]Sample, 0, 2000)
	r := rand.New(rand.NewPCG(2, 2))
	for range 20_000 {
		p := r.Float64()
		honest = append(honest, Sample{Score: p, Positive: r.Float64() < p, Weight: 1})
	}
	bars, ece := Reliability(honest, 10)
	require.Less(t, ece, 0.02)
	weight := 0.0
	for _, b := range bars {
		weight += b.Weight
	}
	require.InDelta(t, 1, weight, 1e-9)
	_, ece = Reliability(ranked([]float64{1, 1}, []float64{1, 1, 1}), 10)
	require.InDelta(t, 0.5, ece, 1e-9, "certain and wrong half of the time at even odds")
}
