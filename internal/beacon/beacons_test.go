package beacon

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBeaconsScoreAboveTheThreshold(t *testing.T) {
	r := source(1)
	sleeping := func(gap func(int) float64, every int, pause float64) func(int) float64 {
		return func(i int) float64 {
			if i%every == every-1 {
				return pause
			}
			return gap(i)
		}
	}
	missing := func(gap func(int) float64, loss float64) func(int) float64 {
		return func(i int) float64 {
			sum := gap(i)
			for r.Float64() < loss {
				sum += gap(i)
			}
			return sum
		}
	}
	steps := []float64{60, 25, 120, 40}
	tests := []struct {
		name     string
		flow     Series
		interval time.Duration // 0: the pattern has no single one
		code     string
	}{
		{"exact", renewal(20, exactly(60), constant(151)), time.Minute, "uniform_sizes"},
		{"six beats", renewal(6, jittered(r, 60, .1), constant(151)), time.Minute, "regular_timing"},
		{"20 % jitter", renewal(60, jittered(r, 60, .2), constant(151)), time.Minute, "regular_timing"},
		{"50 % jitter", renewal(200, jittered(r, 60, .5), constant(151)), time.Minute, "regular_timing"},
		{"no bytes known", renewal(60, jittered(r, 60, .2), constant(0)), time.Minute, "regular_timing"},
		{"padded", renewal(60, jittered(r, 60, .2), func(int) uint64 { return 300 + r.Uint64N(4096) }), time.Minute,
			"regular_timing"},
		{"chunks every 200 ms", renewal(100, jittered(r, .2, .05), constant(1<<20)), 200 * time.Millisecond, "uniform_sizes"},
		{"two beats in five missed", renewal(120, missing(jittered(r, 60, .1), .4), constant(151)), time.Minute, "missed_beats"},
		{"suspended every night", renewal(120, sleeping(jittered(r, 300, .1), 40, 50000), constant(151)), 5 * time.Minute,
			"regular_timing"},
		{"four sends a check-in", renewal(120, func(i int) float64 {
			if i%4 != 3 {
				return .05 + .1*r.Float64()
			}
			return 60 * (1 + .1*r.Float64())
		}, func(i int) uint64 { return []uint64{517, 126, 300, 90}[i%4] }), 63 * time.Second, "uniform_sizes"},
		{"tasked", together(renewal(80, jittered(r, 60, .1), constant(151)),
			renewal(60, sleeping(poisson(r, 1), 15, 1100), func(int) uint64 { return 200 + r.Uint64N(5000) })), time.Minute,
			"regular_timing"},
		{"10 ms more per poll", renewal(250, func(i int) float64 { return .01*float64(i+1) + .002*r.Float64() }, constant(90)), 0,
			"ramp"},
		{"wandering interval", renewal(120, func(i int) float64 { return 60 + .08*float64(min(i, 120-i)) }, constant(151)),
			time.Minute, "drift"},
		{"a cycle of four", renewal(80, func(i int) float64 { return steps[i%4] * (1 + .02*r.Float64()) }, constant(151)), 0,
			"cycle"},
		{"period changed", renewal(80, func(i int) float64 {
			if i < 40 {
				return 60 * (1 + .1*r.Float64())
			}
			return 300 * (1 + .1*r.Float64())
		}, constant(151)), 0, "period_changed"},
		{"a short and a long sleep", renewal(80, func(int) float64 {
			if r.Float64() < .5 {
				return 60 * (1 + .1*r.Float64())
			}
			return 200 * (1 + .1*r.Float64())
		}, constant(151)), 0, "two_periods"},
		{"two implants of one size", together(renewal(150, jittered(r, 47, .02), constant(151)),
			renewal(110, jittered(r, 64, .02), constant(151))), 0, "two_periods"},
		{"among other requests", together(renewal(100, jittered(r, 60, .05), constant(151)),
			renewal(150, poisson(r, 40), func(int) uint64 { return 300 + r.Uint64N(3000) })), time.Minute, "size_group"},
		{"100 ms more per poll, from 0 again when tasked", renewal(200, func(i int) float64 {
			return .1*float64(1+i%23) + .01*r.Float64()
		}, constant(90)), 0, "ramp"},
		{"three sends a check-in, as even as the check-ins", renewal(522, func(i int) float64 {
			return []float64{.22, .2, 1.3}[i%3] * (.9 + .2*r.Float64())
		}, func(i int) uint64 { return []uint64{80, 1022, 517}[i%3] }), 1720 * time.Millisecond, "uniform_sizes"},
		{"twenty chunks an hour", renewal(300, func(i int) float64 {
			if i%20 == 19 {
				return 3600 * (.9 + .2*r.Float64())
			}
			return .3 * (.95 + .1*r.Float64())
		}, constant(65536)), time.Hour, "uniform_sizes"},
		{"requests and their longer results", renewal(60, func(i int) float64 {
			return []float64{.15 + .1*r.Float64(), 2 + r.Float64()}[i%2]
		}, func(i int) uint64 { return []uint64{817, 24}[i%2] }), 2700 * time.Millisecond, "uniform_sizes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := newScorer(t).Score(tt.flow)
			requireSound(t, res)
			require.GreaterOrEqual(t, res.Score, DefaultThreshold, res.Reason())
			require.Contains(t, res.ReasonCodes(), tt.code, res.Reason())
			require.Contains(t, res.ReasonCodes(), "above_threshold")
			require.False(t, res.Insufficient)
			if tt.interval > 0 {
				require.InEpsilon(t, tt.interval.Seconds(), res.Interval.Seconds(), .2, res.Reason())
			}
		})
	}
}

func TestTheStatedShareLiesInTheStatedBand(t *testing.T) {
	r := source(3)
	for range 200 {
		f := renewal(30+r.IntN(100), jittered(r, 10+500*r.Float64(), .6*r.Float64()), constant(151))
		res := newScorer(t).Score(f)
		if res.Codes.Has(TwoPeriods) || res.Codes.Has(Cycle) || res.Gaps != len(f.At)-1 {
			continue // the gaps of another reading
		}
		in := 0
		for i := 1; i < len(f.At); i++ {
			off := (f.At[i]-f.At[i-1]).Seconds()/res.Interval.Seconds() - 1
			if off <= res.Jitter+1e-6 && off >= -res.Jitter-1e-6 {
				in++
			}
		}
		require.InDelta(t, res.TimingShare, float64(in)/float64(res.Gaps), 1e-9, res.Reason())
	}
}

func TestMoreBeatsMoreEvidence(t *testing.T) {
	s, before := newScorer(t), -1.0
	for n := 4; n <= 512; n *= 2 {
		res := s.Score(renewal(n, exactly(60), constant(151)))
		require.Greater(t, res.Evidence, before, "%d beats", n)
		before = res.Evidence
	}
}

func TestFewBeatsAreInsufficient(t *testing.T) {
	s := newScorer(t)
	for n := range 6 {
		res := s.Score(renewal(n, exactly(60), constant(151)))
		requireSound(t, res)
		require.True(t, res.Insufficient, "%d beats", n)
		require.Less(t, res.Score, DefaultThreshold)
	}
	r, few := source(4), 0
	for range 200 {
		res := s.Score(renewal(10, jittered(r, 60, .7), constant(151)))
		require.Equal(t, res.Beats < max(DefaultMinBeats, SufficientBeats(res.Jitter)), res.Insufficient)
		if res.Insufficient && res.Beats >= DefaultMinBeats {
			few++
		}
	}
	require.Positive(t, few, "ten beats are not enough for this much jitter")
}
