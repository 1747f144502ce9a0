package simulate

// troubledImplants are beacons as hosts, networks and operators leave them: missed, suspended, tasked, moved.
func troubledImplants() []Class {
	return []Class{
		{Name: "tls-check-in", About: "three to six sends per check-in, a new TLS connection each", draw: tlsCheckIn},
		{Name: "missed-beats", About: "0 to 40 % of the check-ins never leave", draw: missedBeats},
		{Name: "suspended-host", About: "the host sleeps or restarts now and then", draw: suspended},
		{Name: "tasked", About: "an operator types: bursts of small sends between check-ins", draw: tasked},
		{Name: "metasploit-tasked", About: "100 ms more after each empty poll, a burst of results and back to 0 when tasked", draw: metasploitTasked},
		{Name: "two-implants", About: "two implants with their own periods, one server", draw: twoImplants},
		{Name: "period-changed", About: "the operator changes the sleep once or twice", draw: periodChanged},
		{Name: "drifting", About: "the period creeps by up to half over the observation", draw: drifting},
		{Name: "rotating-servers", About: "about 100 check-ins at each server in turn; the whole program", draw: rotating},
		{Name: "one-server-of-many", About: "the same, as one of its servers sees it", draw: oneOfMany},
	}
}

// mild draws a period and jitter for flows whose trouble is elsewhere.
func (s *script) mild() (period, jitter float64) {
	return s.spread(3, 1800), pick(s, 0, 0.05, 0.1, 0.2, 0.3)
}

func tlsCheckIn(s *script) {
	period, jitter := s.spread(5, 3600), pick(s, 0, 0.1, 0.2, 0.4)
	p := s.check()
	p.sends = 2 + s.IntN(4)
	s.repeat(0, s.length(jitter, period), p, s.band(period, jitter))
}

func missedBeats(s *script) {
	period, jitter := s.mild()
	loss := s.between(0, 0.4)
	sleep, p := s.band(period, jitter), s.web()
	at := 0.0
	for range 2 * s.length(jitter, period) {
		if !s.chance(loss) {
			s.checkIn(at, p)
		}
		at += sleep()
	}
}

func suspended(s *script) {
	period, jitter := s.mild()
	sleep, p := s.band(period, jitter), s.web()
	n := 2 * s.length(jitter, period)
	outage := pick(s, 1.0, 2, 5) / float64(n)
	at := 0.0
	for range n {
		at += s.checkIn(at, p) + sleep()
		if s.chance(outage) {
			at += s.spread(5, 200) * period
		}
	}
}

func tasked(s *script) {
	period, jitter := s.mild()
	sleep, p := s.band(period, jitter), s.web()
	n := 2 * s.length(jitter, period)
	sessions := pick(s, 1.0, 2, 4) / float64(n)
	at := 0.0
	for range n {
		at += s.checkIn(at, p)
		if s.chance(sessions) {
			for range s.count(3, 40) {
				at += s.lognormal(min(2, period/4), 1)
				s.send(at, int(s.lognormal(400, 1.2)))
			}
		}
		at += sleep()
	}
}

func metasploitTasked(s *script) {
	p := s.check()
	p.tasking = 0
	tasked := s.between(0.01, 0.06)
	at, empty := 0.0, 0
	for range s.count(100, 1500) {
		at += s.checkIn(at, p) + min(0.1*float64(empty), 10)
		empty++
		if s.chance(tasked) {
			empty = 0
			for range s.count(2, 20) {
				s.send(at, int(s.lognormal(1200, 0.4)))
				at += s.between(0.01, 0.3)
			}
		}
	}
}

func twoImplants(s *script) {
	first, jitter := s.spread(5, 600), pick(s, 0, 0.05, 0.1)
	second := first * s.between(1.4, 5)
	n := 2 * s.length(jitter, second)
	end := s.repeat(0, n, s.check(), s.band(second, jitter))
	p, sleep := s.check(), s.band(first, jitter)
	for at := first * s.Float64(); at < end; {
		at += s.checkIn(at, p) + sleep()
	}
}

func periodChanged(s *script) {
	period, jitter := s.mild()
	p := s.web()
	at := 0.0
	for range 2 + s.IntN(2) {
		at = s.repeat(at, s.length(jitter, period), p, s.band(period, jitter))
		period *= pick(s, 0.1, 0.2, 0.5, 2, 5, 10)
		period = min(max(period, 1), 7200)
	}
}

func drifting(s *script) {
	period, jitter := s.mild()
	n := s.length(jitter, period)
	creep := s.between(-0.3, 0.5) / float64(n)
	i := 0
	s.repeat(0, n, s.web(), func() float64 {
		i++
		return period * (1 + creep*float64(i)) * s.between(1-jitter, 1+jitter)
	})
}

func rotating(s *script) {
	period, jitter := s.spread(20, 600), pick(s, 0, 0.05, 0.1, 0.2)
	sleep, p := s.band(period, jitter), s.web()
	at := 0.0
	for peer := range uint16(3 + s.IntN(8)) {
		for range s.count(20, 120) {
			n := len(s.sends)
			at += s.checkIn(at, p) + sleep()
			for i := n; i < len(s.sends); i++ {
				s.sends[i].peer = peer
			}
		}
	}
}

func oneOfMany(s *script) {
	period, jitter := s.spread(20, 600), pick(s, 0, 0.05, 0.1, 0.2)
	stay := float64(s.count(20, 120))
	s.window = period * stay * s.between(2, 10)
	s.repeat(s.Float64()*(s.window-period*stay*1.1), int(stay), s.web(), s.band(period, jitter))
}

// rebase moves the first send to the start of the observation.
func (s *script) rebase() {
	if len(s.sends) == 0 {
		return
	}
	first := s.sends[0].at
	for i := range s.sends {
		s.sends[i].at -= first
	}
}
