package simulate

import "math"

// between draws uniformly from [lo, hi).
func (s *script) between(lo, hi float64) float64 { return lo + (hi-lo)*s.Float64() }

// spread draws log-uniformly from [lo, hi): every order of magnitude is as likely as any other.
func (s *script) spread(lo, hi float64) float64 { return lo * math.Exp(s.Float64()*math.Log(hi/lo)) }

// count draws an integer log-uniformly from [lo, hi].
func (s *script) count(lo, hi int) int {
	return min(hi, int(s.spread(float64(lo), float64(hi)+1)))
}

// chance is true with probability p.
func (s *script) chance(p float64) bool { return s.Float64() < p }

// exponential draws a waiting time of the given mean.
func (s *script) exponential(mean float64) float64 { return mean * s.ExpFloat64() }

// lognormal draws around a median; sigma is the standard deviation of the logarithm.
func (s *script) lognormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*s.NormFloat64())
}

// pareto draws from the Pareto distribution with the given exponent, at least lo, cut at 10 000 times lo.
func (s *script) pareto(lo, exponent float64) float64 {
	return min(lo*math.Pow(1-s.Float64(), -1/exponent), 1e4*lo)
}

// weibull draws from the Weibull distribution.
func (s *script) weibull(scale, shape float64) float64 {
	return scale * math.Pow(s.ExpFloat64(), 1/shape)
}

// gamma draws from the gamma distribution of the given shape (at least 0.05) and mean: Marsaglia and Tsang 2000, with
// their boost for shapes below 1.
func (s *script) gamma(shape, mean float64) float64 {
	boost := 1.0
	k := shape
	if k < 1 {
		boost = math.Pow(1-s.Float64(), 1/k)
		k++
	}
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-s.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return boost * d * v * mean / shape
		}
	}
}

// pick draws one of the values.
func pick[T any](s *script, values ...T) T { return values[s.IntN(len(values))] }
