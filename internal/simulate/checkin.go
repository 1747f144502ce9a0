package simulate

// payload is what one check-in of a program sends.
type payload struct {
	size    int     // the fixed message
	vary    int     // it varies by up to this many bytes either way (counters, cookies, ids)
	sends   int     // sends before the message itself: a TLS handshake has two or more; 0 = the message alone
	round   float64 // round-trip time, which spaces those sends
	tasking float64 // share of check-ins that carry a result instead
}

// check draws the payload of an implant over a plain socket or a kept connection.
func (s *script) check() payload {
	p := payload{size: int(s.spread(48, 1500)), round: s.spread(0.005, 0.3), tasking: pick(s, 0, 0, 0, 0.01, 0.03)}
	p.vary = pick(s, 0, 0, 1, 3, p.size/50)
	return p
}

// web draws the payload of an implant over HTTP or HTTPS: a third of them make a new TLS connection each time.
func (s *script) web() payload {
	p := s.check()
	if s.chance(0.35) {
		p.sends = 2 + s.IntN(2)
	}
	return p
}

// checkIn writes one check-in and returns how long it took.
func (s *script) checkIn(at float64, p payload) float64 {
	begun := at
	for i := range p.sends {
		s.send(at, []int{517, 80, 126}[i%3])
		at += p.round * s.between(0.9, 1.3)
	}
	size := p.size
	if p.vary > 0 {
		size += s.IntN(2*p.vary+1) - p.vary
	}
	if s.chance(p.tasking) {
		size += int(s.lognormal(4000, 1.2))
	}
	s.send(at, size)
	return at - begun + p.round*s.between(0.9, 1.3)
}

// fewest returns how many beats a flow of the given jitter (relative half-width of the gaps) needs before anything can be
// said about it: about one and a half times what the likelihood ceiling asks for. Shorter flows are the business of
// Exact.
func fewest(jitter float64) int {
	switch {
	case jitter <= 0.2:
		return 10
	case jitter <= 0.3:
		return 12
	case jitter <= 0.5:
		return 18
	}
	return 30
}

// length draws the number of beats of a flow with that jitter and period.
func (s *script) length(jitter, period float64) int {
	lo := fewest(jitter)
	return s.count(lo, max(lo, min(1500, int(longest/period))))
}

// period draws how often an implant calls: half of them one of the values people type, the others anything from one
// second to two hours.
func (s *script) period() float64 {
	if s.chance(0.5) {
		return pick(s, 5.0, 10, 30, 60, 60, 120, 300, 600, 900, 1800, 3600)
	}
	return s.spread(1, 7200)
}

// repeat writes n check-ins. The next one starts gap() after the last has ended, as a loop around sleep does.
func (s *script) repeat(from float64, n int, p payload, gap func() float64) float64 {
	at := from
	for range n {
		took := s.checkIn(at, p)
		at += took + max(gap(), 0.001)
	}
	return at
}

// band returns a sleep uniform in period × (1 ± jitter).
func (s *script) band(period, jitter float64) func() float64 {
	return func() float64 { return period * s.between(1-jitter, 1+jitter) }
}
