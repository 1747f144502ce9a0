package simulate

import "math"

// harderImplants are held-out rhythms under more than one strain at a time.
func harderImplants() []Class {
	return []Class{
		{Name: "random-front", About: "one of two or three fronts by lot: one of them sees gaps of any multiple of T", draw: randomFront},
		{Name: "weary", About: "30 to 50 % jitter, a fifth to two fifths missed, padded, tasked", draw: weary},
		{Name: "lognormal-sleep", About: "log-normal sleep, σ of 0.1 to 0.35", draw: lognormalSleep},
		{Name: "swinging", About: "the period swings by up to 40 % with the hour", draw: swinging},
		{Name: "three-implants", About: "three periods and one server", draw: threeImplants},
		{Name: "slow-server", About: "an answer takes 5 to 30 % of T, log-normally", draw: slowServer},
		{Name: "crowded", About: "fixed check-ins among as many or twice as many other requests", draw: crowded},
	}
}

func randomFront(s *script) {
	period, jitter := s.spread(5, 600), pick(s, 0, 0.05, 0.1, 0.2)
	fronts := 2 + s.IntN(2)
	p, sleep := s.web(), s.band(period, jitter)
	at := 0.0
	for range fronts * s.count(40, 400) {
		if s.IntN(fronts) == 0 {
			s.checkIn(at, p)
		}
		at += sleep()
	}
}

func weary(s *script) {
	period, jitter, loss := s.spread(5, 1200), s.between(0.3, 0.5), s.between(0.2, 0.4)
	sleep, p := s.band(period, jitter), s.web()
	p.tasking = 0.02
	padding := pick(s, 0, 256, 4096)
	base := p.size
	at := 0.0
	for range s.count(60, 1000) {
		if !s.chance(loss) {
			p.size = base + s.IntN(padding+1)
			s.checkIn(at, p)
		}
		at += sleep()
	}
}

func lognormalSleep(s *script) {
	period, sigma := s.period(), s.between(0.1, 0.35)
	s.repeat(0, s.length(min(2*sigma, 0.7), period), s.web(), func() float64 { return s.lognormal(period, sigma) })
}

func swinging(s *script) {
	period, depth, jitter := s.spread(5, 600), s.between(0.1, 0.4), pick(s, 0, 0.05, 0.1)
	cycle := period * s.spread(20, 500)
	p := s.web()
	at := 0.0
	for range s.length(0.5, period) {
		at += s.checkIn(at, p) + period*(1+depth*math.Sin(2*math.Pi*at/cycle))*s.between(1-jitter, 1+jitter)
	}
}

func threeImplants(s *script) {
	period, jitter := s.spread(5, 300), pick(s, 0, 0.05, 0.1)
	end := period * float64(s.count(60, 600))
	for range 3 {
		p, sleep := s.check(), s.band(period, jitter)
		for at := period * s.Float64(); at < end; {
			at += s.checkIn(at, p) + sleep()
		}
		period *= s.between(1.3, 2.5)
	}
}

func slowServer(s *script) {
	period, jitter := s.spread(5, 600), pick(s, 0, 0.1, 0.2)
	answer := period * s.between(0.05, 0.3)
	s.repeat(0, s.length(0.4, period), s.web(), func() float64 {
		return period*s.between(1-jitter, 1+jitter) + s.lognormal(answer, 0.6)
	})
}

func crowded(s *script) {
	period, jitter := s.spread(10, 600), pick(s, 0, 0.05, 0.1, 0.2)
	p := s.check()
	p.tasking = 0
	end := s.repeat(0, s.count(30, 500), p, s.band(period, jitter))
	rate := period / s.between(0.5, 2)
	for at := s.exponential(rate); at < end; at += s.exponential(rate) {
		s.send(at, int(s.lognormal(700, 0.7)))
	}
}
