package simulate

import "math"

// randomProcesses are the textbook processes a scorer must not fire on, however constant their sizes.
func randomProcesses() []Class {
	return []Class{
		{Name: "poisson", About: "exponential gaps, one constant size", draw: poissonConstant},
		{Name: "poisson-sizes", About: "exponential gaps, log-normal sizes", draw: poissonVariable},
		{Name: "pareto-gaps", About: "heavy-tailed gaps, exponent 1.05 to 2, from a least gap (type I) or from 0 (Lomax)", draw: paretoGaps},
		{Name: "gamma-gaps", About: "gamma gaps of shape 0.4 to 2", draw: gammaGaps},
		{Name: "correlated-gaps", About: "logarithms of the gaps follow an AR(1)", draw: correlatedGaps},
		{Name: "wandering-rate", About: "a Poisson process whose log rate is a random walk", draw: wanderingRate},
		{Name: "on-off", About: "two-state modulated Poisson process", draw: onOff},
	}
}

// sizer draws how the sizes of a random process behave: constant for a good third, otherwise ever wider.
func (s *script) sizer() func() int {
	size, sigma := s.spread(40, 4000), pick(s, 0, 0, 0.01, 0.1, 0.5, 1)
	return func() int { return int(s.lognormal(size, sigma)) }
}

// renew writes a renewal process of 10 to 1500 sends whose gaps have about the given mean, at most a week of it.
func (s *script) renew(mean float64, size func() int, gap func() float64) {
	at := 0.0
	for range s.count(10, max(10, min(1500, int(longest/mean)))) {
		s.send(at, size())
		at += gap()
	}
	s.limit(longest)
}

func poissonConstant(s *script) {
	mean, size := s.spread(0.5, 3600), int(s.spread(40, 4000))
	s.renew(mean, func() int { return size }, func() float64 { return s.exponential(mean) })
}

func poissonVariable(s *script) {
	mean, size, sigma := s.spread(0.5, 3600), s.spread(40, 4000), s.between(0.2, 1.2)
	s.renew(mean, func() int { return int(s.lognormal(size, sigma)) }, func() float64 { return s.exponential(mean) })
}

func paretoGaps(s *script) {
	lo, exponent := s.spread(0.1, 300), s.between(1.05, 2)
	least := pick(s, 0, lo)
	s.renew(4*lo, s.sizer(), func() float64 { return s.pareto(lo, exponent) - lo + least })
}

func gammaGaps(s *script) {
	mean, shape := s.spread(0.5, 3600), s.between(0.4, 2)
	s.renew(mean, s.sizer(), func() float64 { return s.gamma(shape, mean) })
}

func correlatedGaps(s *script) {
	median, rho, sigma := s.spread(0.5, 900), s.between(0.2, 0.9), s.between(0.6, 1.3)
	x := sigma * s.NormFloat64()
	s.renew(median, s.sizer(), func() float64 {
		x = rho*x + math.Sqrt(1-rho*rho)*sigma*s.NormFloat64()
		return median * math.Exp(x)
	})
}

func wanderingRate(s *script) {
	mean, step := s.spread(1, 900), s.between(0.05, 0.4)
	x := 0.0
	s.renew(mean, s.sizer(), func() float64 {
		x = min(max(x+step*s.NormFloat64(), -3), 3)
		return s.exponential(mean * math.Exp(x))
	})
}

func onOff(s *script) {
	fast := s.spread(0.2, 60)
	slow := fast * s.spread(5, 100)
	flip := s.spread(0.02, 0.3)
	mean := fast
	s.renew((fast+slow)/2, s.sizer(), func() float64 {
		if s.chance(flip) {
			mean = fast + slow - mean
		}
		return s.exponential(mean)
	})
}
