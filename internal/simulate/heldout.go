package simulate

import "math"

// heldOutBenign is traffic without a timer that nobody tunes on.
func heldOutBenign() []Class {
	return []Class{
		{Name: "messaging", About: "a conversation: each message provokes others (Hawkes process)", draw: messaging},
		{Name: "send-on-delta", About: "a meter that reports when its value has moved enough", draw: sendOnDelta},
		{Name: "mail-relay", About: "a queue: new mail at random, growing retry delays", draw: mailRelay},
		{Name: "gossip", About: "peer-to-peer UDP: many partners' timers seen as one, few sizes", draw: gossip},
		{Name: "name-lookups", About: "a stub resolver: bursts of look-ups a cache partly swallows", draw: nameLookups},
		{Name: "queue-worker", About: "Weibull work times, back to back", draw: queueWorker},
		{Name: "scale-free", About: "log-uniform gaps over two to four decades", draw: scaleFree},
		{Name: "file-backup", About: "a walk over a tree: a send per changed file, any size", draw: fileBackup},
		{Name: "till", About: "a payment terminal: equal messages in opening hours", draw: till},
		{Name: "ci-runner", About: "pipelines of stages at random times of working days", draw: ciRunner},
		{Name: "scanner-gun", About: "someone scanning parcels: gamma gaps of shape 1.5 to 3, equal messages", draw: scannerGun},
		{Name: "status-page", About: "a person reloading: a few reloads at a similar pace, then none for long", draw: statusPage},
		{Name: "shared-proxy", About: "many users behind one program, sizes of all kinds", draw: sharedProxy},
	}
}

func messaging(s *script) {
	base, branching, decay := s.spread(60, 1800), s.between(0.4, 0.85), s.spread(2, 60)
	var thread func(at float64, depth int)
	thread = func(at float64, depth int) {
		s.send(at, int(s.lognormal(220, 0.4)))
		for s.chance(branching/(1+branching)) && depth < 200 {
			at += s.exponential(decay)
			thread(at, depth+1)
		}
	}
	s.window = base * float64(s.count(15, 300))
	for at := s.exponential(base); at < s.window; at += s.exponential(base) {
		thread(at, 0)
	}
}

func sendOnDelta(s *script) {
	tick, delta := s.spread(0.1, 5), s.spread(3, 10)
	size := int(s.spread(30, 200))
	value, sent, at := 0.0, 0.0, 0.0
	most := s.count(15, 800)
	for i := 0; len(s.sends) < most && i < 200_000; i++ {
		at += tick * s.between(0.95, 1.05)
		value += s.NormFloat64()
		if math.Abs(value-sent) > delta {
			s.send(at, size)
			sent = value
		}
	}
}

func mailRelay(s *script) {
	arrivals, first := s.spread(20, 1200), pick(s, 60.0, 300, 900)
	s.window = arrivals * float64(s.count(20, 500))
	for at := s.exponential(arrivals); at < s.window; at += s.exponential(arrivals) {
		size := int(s.lognormal(8000, 1.3))
		s.send(at, size)
		retry, delay := at, first*s.between(0.8, 1.2)
		for s.chance(0.25) {
			retry += delay
			delay *= 1.5
			s.send(retry, size)
		}
	}
}

func gossip(s *script) {
	mean := s.spread(0.3, 20)
	sizes := []int{58, 65, 92, 104, 145}[:2+s.IntN(4)]
	s.renew(mean, func() int { return pick(s, sizes...) }, func() float64 {
		if s.chance(0.2) {
			return s.exponential(mean / 20)
		}
		return s.exponential(mean)
	})
}

func nameLookups(s *script) {
	think := s.spread(5, 600)
	ttl := map[int]float64{}
	at := 0.0
	for range s.count(20, 600) {
		for range s.count(1, 12) {
			name := int(s.pareto(1, 0.7)) % 500
			if at > ttl[name] {
				s.send(at, 28+name%37)
				s.send(at+0.0005, 28+name%37)
				ttl[name] = at + pick(s, 5.0, 30, 60, 300, 3600)
			}
			at += s.exponential(0.15)
		}
		at += s.lognormal(think, 1.1)
	}
	s.limit(longest)
}

func queueWorker(s *script) {
	scale, shape := s.spread(1, 900), s.between(0.6, 1.4)
	s.renew(scale, s.sizer(), func() float64 { return s.weibull(scale, shape) })
}

func scaleFree(s *script) {
	lo, decades := s.spread(0.1, 10), s.between(2, 4)
	s.renew(lo*math.Pow(10, decades)/5, s.sizer(), func() float64 { return lo * math.Pow(10, decades*s.Float64()) })
}

func fileBackup(s *script) {
	changed, walk := s.spread(0.005, 0.2), s.spread(0.001, 0.05)
	at := 0.0
	most := s.count(20, 1000)
	for len(s.sends) < most {
		files := math.Ceil(s.exponential(1 / changed))
		size := s.pareto(2000, 0.9)
		at += s.gamma(files, files*walk) + size/2e7
		s.send(at, int(size))
	}
}

func till(s *script) {
	mean, shape := s.spread(30, 600), s.between(0.7, 1.6)
	size := int(s.spread(180, 500))
	at := s.between(0, 3600)
	s.window = s.between(1, 4) * 86400
	for at < s.window {
		if math.Mod(at, 86400) < 10*3600 {
			s.send(at, size+s.IntN(4))
		}
		at += s.gamma(shape, mean)
	}
}

func ciRunner(s *script) {
	stages := make([]float64, 3+s.IntN(6))
	for i := range stages {
		stages[i] = s.spread(2, 600)
	}
	between := s.spread(600, 10800)
	at := 0.0
	for range s.count(4, 60) {
		for _, stage := range stages {
			s.send(at, int(s.lognormal(900, 0.7)))
			at += s.lognormal(stage, 0.5)
			if s.chance(0.08) { // a stage failed: the pipeline ends
				break
			}
		}
		at += s.exponential(between)
	}
	s.limit(longest)
}

func sharedProxy(s *script) {
	mean := s.spread(0.5, 60)
	s.renew(mean, func() int { return int(s.pareto(180, 1.1)) }, func() float64 { return s.exponential(mean * s.lognormal(1, 0.6)) })
}

func scannerGun(s *script) {
	mean, shape, size := s.spread(4, 40), s.between(1.5, 3), int(s.spread(60, 300))
	at := 0.0
	for range s.count(3, 40) {
		for range s.count(5, 80) {
			s.send(at, size)
			at += s.gamma(shape, mean)
		}
		at += s.lognormal(600, 0.8)
	}
}

func statusPage(s *script) {
	size := s.spread(300, 900)
	at := 0.0
	for range s.count(6, 80) {
		pace := s.lognormal(8, 0.9)
		for range s.count(1, 8) {
			for range 1 + s.IntN(4) {
				s.send(at, int(s.lognormal(size, 0.3)))
				at += s.exponential(0.1)
			}
			at += s.lognormal(pace, 0.5)
		}
		at += s.lognormal(1800, 1.2)
	}
	s.limit(longest)
}
