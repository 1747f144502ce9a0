package beacon

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSteadyRandomSendersStayBelow(t *testing.T) {
	s, r := newScorer(t), source(2)
	for _, n := range []int{6, 8, 10, 12, 20, 50, 200, 500} {
		fired := 0
		for range 1000 {
			if s.Score(renewal(n, poisson(r, 60), constant(100))).Score >= DefaultThreshold {
				fired++
			}
		}
		require.LessOrEqual(t, fired, 8, "of 1000 flows of %d sends", n) // .5 % and two standard deviations
	}
}

// Each is a kind of traffic that no timer makes; a band of its gaps may be full all the same.
func TestTrafficWithoutATimerStaysBelow(t *testing.T) {
	r := source(5)
	lognormal := func(median, sigma float64) float64 { return median * math.Exp(sigma*r.NormFloat64()) }
	tests := []struct {
		name  string
		gap   func() func(i int) float64
		fired int // of 200
	}{
		{"log-normal think time", func() func(int) float64 {
			return func(int) float64 { return lognormal(30, 1.2) }
		}, 2},
		{"heavy tail from a least gap", func() func(int) float64 {
			return func(int) float64 { return 5 * math.Pow(1-r.Float64(), -1/1.5) }
		}, 6},
		{"pages of ten requests", func() func(int) float64 {
			return func(i int) float64 {
				if i%10 < 9 {
					return .05 * r.ExpFloat64()
				}
				return lognormal(60, 1)
			}
		}, 2},
		{"requests of four even sends", func() func(int) float64 {
			return func(i int) float64 {
				if i%4 < 3 {
					return .1 * (.9 + .2*r.Float64())
				}
				return lognormal(60, 1.2)
			}
		}, 2},
		{"back-off from one second", func() func(int) float64 {
			k := 0
			return func(int) float64 {
				if k++; k > 5 {
					k = 0
					return 300 * r.ExpFloat64()
				}
				return math.Ldexp(1, k-1)
			}
		}, 6},
		{"retries, each a second later than the last", func() func(int) float64 {
			k := 0
			return func(int) float64 {
				if k++; k > 6 {
					k = 0
					return 300 * r.ExpFloat64()
				}
				return float64(k) * (.95 + .1*r.Float64())
			}
		}, 20},
		{"working hours", func() func(int) float64 {
			now := 0.0
			return func(int) float64 {
				gap := 900 * r.ExpFloat64()
				if math.Mod(now+gap, 86400) > 9*3600 {
					gap = 86400 - math.Mod(now, 86400) + 900*r.ExpFloat64()
				}
				now += gap
				return gap
			}
		}, 2},
		{"two rates", func() func(int) float64 {
			mean := 2.0
			return func(int) float64 {
				if r.Float64() < .1 {
					mean = 102 - mean
				}
				return mean * r.ExpFloat64()
			}
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, fired := newScorer(t), 0
			for i := range 200 {
				res := s.Score(renewal(10+3*i, tt.gap(), constant(151)))
				requireSound(t, res)
				if res.Score >= DefaultThreshold {
					fired++
				}
			}
			require.LessOrEqual(t, fired, tt.fired)
		})
	}
}
