package simulate

import "math"

// heldOutImplants are rhythms nobody tunes on. Each differs in kind from the classes above, not only in its numbers.
func heldOutImplants() []Class {
	return []Class{
		{Name: "normal-sleep", About: "normally distributed sleep, σ of 3 to 20 % of T", draw: normalSleep},
		{Name: "triangular-sleep", About: "sum of two uniform draws", draw: triangularSleep},
		{Name: "choice-of-sleeps", About: "random.choice of two to four fixed sleeps", draw: choiceOfSleeps},
		{Name: "poll-then-post", About: "each poll is followed by a result a fixed while later", draw: pollThenPost},
		{Name: "heartbeat-with-data", About: "a WebSocket's heartbeat with data in between", draw: heartbeatWithData},
		{Name: "batched-exfiltration", About: "every T a handful of chunks, a fixed pause apart", draw: batchedExfiltration},
		{Name: "decoys", About: "a beacon among random decoy requests of other sizes", draw: decoys},
		{Name: "laptop", About: "on for an hour, closed for a while; calls at once on waking", draw: laptop},
		{Name: "round-robin", About: "k fronts in turn: one of them sees every k-th check-in", draw: roundRobin},
		{Name: "low-and-slow", About: "once or a few times a day, for weeks", draw: lowAndSlow},
		{Name: "backing-off-implant", About: "sleeps 10 % longer after each silent hour, capped; then stays", draw: backingOff},
	}
}

func normalSleep(s *script) {
	period, sigma := s.period(), pick(s, 0.03, 0.05, 0.1, 0.2)
	s.repeat(0, s.length(2*sigma, period), s.web(), func() float64 {
		return period * max(1+sigma*s.NormFloat64(), 0.05)
	})
}

func triangularSleep(s *script) {
	period, jitter := s.period(), pick(s, 0.1, 0.25, 0.5)
	s.repeat(0, s.length(jitter, period), s.web(), func() float64 {
		return period * (1 + jitter*(s.Float64()-s.Float64()))
	})
}

func choiceOfSleeps(s *script) {
	period := s.period()
	sleeps := make([]float64, 2+s.IntN(3))
	for i := range sleeps {
		sleeps[i] = math.Round(period*s.between(0.65, 1.35)) + 0.5
	}
	s.repeat(0, s.length(0.35, period), s.web(), func() float64 { return pick(s, sleeps...) })
}

func pollThenPost(s *script) {
	period, jitter := s.spread(10, 1800), pick(s, 0, 0.05, 0.1)
	after := period * s.between(0.15, 0.4)
	poll, post := s.check(), s.check()
	sleep := s.band(period, jitter)
	at := 0.0
	for range s.length(jitter, period) {
		s.checkIn(at, poll)
		s.checkIn(at+after*s.between(0.99, 1.01), post)
		at += sleep()
	}
}

func heartbeatWithData(s *script) {
	every := pick(s, 10.0, 15, 20, 25, 30, 45, 60)
	p := payload{size: 2 + s.IntN(60), round: 0.02}
	n := s.count(30, 1500)
	s.repeat(0, n, p, s.band(every, 0.01))
	rate := every * s.spread(2, 20)
	for at := s.exponential(rate); at < every*float64(n); at += s.exponential(rate) {
		s.send(at, int(s.lognormal(600, 1)))
	}
}

func batchedExfiltration(s *script) {
	every, jitter := s.spread(60, 3600), pick(s, 0, 0.05, 0.15)
	size, batch := int(s.spread(1024, 1<<20)), 3+s.IntN(10)
	pause := min(s.spread(0.1, 5), every/30)
	sleep := s.band(every, jitter)
	at := 0.0
	for range s.count(12, 200) {
		for i := range batch {
			s.send(at+float64(i)*pause*s.between(0.98, 1.02), size)
		}
		at += sleep()
	}
}

func decoys(s *script) {
	period, jitter := s.spread(10, 900), pick(s, 0, 0.1, 0.2)
	n := 2 * s.length(jitter, period)
	end := s.repeat(0, n, s.check(), s.band(period, jitter))
	rate := period * s.between(2.5, 10)
	for at := s.exponential(rate); at < end; at += s.exponential(rate) {
		s.send(at, int(s.lognormal(700, 0.7)))
	}
}

func laptop(s *script) {
	period, jitter := s.spread(10, 300), pick(s, 0, 0.1, 0.2)
	p, sleep := s.web(), s.band(period, jitter)
	at := 0.0
	for range 2 + s.IntN(8) {
		for asleep := at + s.lognormal(3600, 0.6); at < asleep; {
			at += s.checkIn(at, p) + sleep()
		}
		at += s.lognormal(3600, 1)
	}
}

func roundRobin(s *script) {
	period, jitter := s.spread(5, 600), pick(s, 0, 0.1, 0.2, 0.3)
	fronts := 2 + s.IntN(4)
	s.repeat(0, s.length(jitter, period*float64(fronts)), s.web(), func() float64 {
		var sum float64
		for range fronts {
			sum += period * s.between(1-jitter, 1+jitter)
		}
		return sum
	})
}

func lowAndSlow(s *script) {
	every := pick(s, 6.0, 8, 12, 24) * 3600
	p := s.web()
	for i := range s.count(12, 40) {
		s.checkIn(float64(i)*every+every*s.between(0, 0.1), p)
	}
}

func backingOff(s *script) {
	sleep, most := s.spread(5, 60), s.spread(120, 900)
	jitter := pick(s, 0, 0.05, 0.1)
	p := s.web()
	at, tired := 0.0, 3600.0
	for range s.count(60, 1000) {
		at += s.checkIn(at, p) + sleep*s.between(1-jitter, 1+jitter)
		if at > tired {
			sleep = min(sleep*1.1, most)
			tired += 3600
		}
	}
}
