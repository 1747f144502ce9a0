package beacon

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// priceFlows are the flows prices are quoted on: 200 sends each, half of them beacons of every jitter, half random.
func priceFlows() []Series {
	r := source(9)
	var flows []Series
	for i := range 50 {
		flows = append(flows,
			renewal(200, jittered(r, 60, float64(i%10)/10), func(int) uint64 { return 150 + r.Uint64N(4) }),
			renewal(200, poisson(r, 60), constant(150)))
	}
	return flows
}

func BenchmarkScore(b *testing.B) {
	s, flows := newScorer(b), priceFlows()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Score(flows[i%len(flows)])
	}
}

func BenchmarkRITA(b *testing.B) {
	flows := priceFlows()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ritaFormula(flows[i%len(flows)])
	}
}

func TestScoringAllocatesNothing(t *testing.T) {
	s, flows := newScorer(t), priceFlows()
	all := func() {
		for _, f := range flows {
			s.Score(f)
		}
	}
	all() // grows the scratch memory
	require.Zero(t, testing.AllocsPerRun(3, all))
}

// The price is a small multiple of RITA's formula. Rounds of both are interleaved and the fastest counts, so a busy machine
// slows both; the bound leaves room for one that does not.
func TestPriceIsThatOfRITA(t *testing.T) {
	s, flows := newScorer(t), priceFlows()
	ours, theirs := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 20 {
		begun := time.Now()
		for _, f := range flows {
			s.Score(f)
		}
		between := time.Now()
		for _, f := range flows {
			ritaFormula(f)
		}
		ours, theirs = min(ours, between.Sub(begun)), min(theirs, time.Since(between))
	}
	t.Logf("%.2f times RITA's formula (%v a flow)", float64(ours)/float64(theirs), ours/time.Duration(len(flows)))
	require.Less(t, float64(ours), 6*float64(theirs))
}

// ritaFormula is the score of RITA v5 written as its description reads: a quarter each of timestamps, sizes, an hourly
// histogram and duration, over the span of the flow.
func ritaFormula(f Series) float64 {
	seconds := make([]float64, 0, len(f.At))
	for _, at := range f.At {
		seconds = append(seconds, math.Floor(at.Seconds()))
	}
	slices.Sort(seconds)
	seconds = slices.Compact(seconds)
	if len(seconds) < 4 {
		return 0
	}
	gaps := make([]float64, 0, len(seconds))
	for i := 1; i < len(seconds); i++ {
		gaps = append(gaps, seconds[i]-seconds[i-1])
	}
	sizes := make([]float64, 0, len(f.Bytes))
	for _, b := range f.Bytes {
		sizes = append(sizes, float64(b))
	}
	const bars = 24
	var histogram [bars]float64
	first, span := seconds[0], seconds[len(seconds)-1]-seconds[0]
	for _, s := range seconds {
		histogram[min(bars-1, int((s-first)*bars/span))]++
	}
	mean, square, used := float64(len(seconds))/bars, 0.0, 0.0
	heights := map[float64]float64{}
	for _, h := range histogram {
		square += (h - mean) * (h - mean)
		if h > 0 {
			used++
			heights[h]++
		}
	}
	counts := make([]float64, 0, len(heights))
	for _, c := range heights {
		counts = append(counts, c)
	}
	slices.Sort(counts)
	modal := 0.0
	for _, c := range counts[max(0, len(counts)-2):] {
		modal += c / used
	}
	even := max(0, 1-math.Sqrt(square/bars)/mean, modal)
	return (ritaSteady(gaps) + ritaSteady(sizes) + even + used/bars) / 4
}

// ritaSteady is half symmetry (Bowley) and half concentration (median and MAD).
func ritaSteady(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	quantile := func(p float64) float64 { return sorted[int(p*float64(len(sorted)-1))] }
	q1, q2, q3 := quantile(.25), quantile(.5), quantile(.75)
	skew := 0.0
	if q3 > q1 {
		skew = (q1 + q3 - 2*q2) / (q3 - q1)
	}
	away := make([]float64, 0, len(sorted))
	for _, v := range values {
		away = append(away, math.Abs(v-q2))
	}
	slices.Sort(away)
	concentration := 0.0
	if q2 > 0 {
		concentration = max(0, (q2-away[len(away)/2])/q2)
	}
	return (1 - math.Abs(skew) + concentration) / 2
}
