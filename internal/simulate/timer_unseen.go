package simulate

import "math"

// unseenTimers is periodic software written down after the weights had been chosen; see Unseen.
func unseenTimers() []Class {
	return []Class{
		{Name: "cron-fan-out", About: "a dozen cron jobs of one host behind one proxy", draw: cronFanOut},
		{Name: "nightly-backup", About: "a session each night: thousands of chunks of any size", draw: nightlyBackup},
		{Name: "service-heartbeat", About: "every 5 to 30 s; while its server is away, ever more seldom up to a few minutes", draw: serviceHeartbeat},
		{Name: "linger-flush", About: "a queue flushed every few seconds, unless it is empty", draw: lingerFlush},
		{Name: "time-sync", About: "systemd-timesyncd: from 32 s, doubling to 2048 s", draw: timeSync},
	}
}

func cronFanOut(s *script) {
	s.window = s.between(0.5, 4) * 86400
	for range 4 + s.IntN(10) {
		every := pick(s, 5.0, 10, 15, 30, 60, 60, 360) * 60
		offset := 60 * math.Floor(every/60*s.Float64())
		requests := s.count(1, 6)
		size := s.spread(200, 2000)
		for at := offset; at < s.window; at += every {
			late := s.between(0.3, 2)
			for range requests {
				s.send(at+late, int(s.lognormal(size, 0.05)))
				late += s.lognormal(0.3, 0.5)
			}
		}
	}
}

func nightlyBackup(s *script) {
	for i := range 10 + s.IntN(20) {
		at := float64(i)*86400 + s.between(0, 120)
		for range s.count(40, 600) {
			s.send(at, int(s.pareto(4000, 1)))
			at += s.lognormal(0.3, 1)
		}
	}
}

func serviceHeartbeat(s *script) {
	every, most := pick(s, 5.0, 10, 15, 30), pick(s, 60.0, 120, 300)
	size := int(s.spread(60, 600))
	at := 0.0
	for range 2 + s.IntN(6) {
		for range s.count(20, 250) {
			s.send(at, size)
			at += every * s.between(0.99, 1.02)
		}
		for wait := every; s.chance(0.9); wait = min(2*wait, most) {
			s.send(at, size)
			at += wait * s.between(0.9, 1.1)
		}
	}
}

func lingerFlush(s *script) {
	linger, busy := pick(s, 2.0, 5, 10, 30), s.between(0.6, 0.98)
	size := s.spread(300, 30000)
	at := 0.0
	for range s.count(40, 1200) {
		at += linger * s.between(0.995, 1.01)
		if s.chance(busy) {
			s.send(at, int(s.lognormal(size, 0.6)))
		}
	}
}

func timeSync(s *script) {
	poll, at := 32.0, s.between(0, 5)
	for range s.count(16, 300) {
		s.send(at, 48)
		at += poll + s.between(0, 0.3)
		if s.chance(0.3) {
			poll = min(2*poll, 2048)
		}
	}
	s.limit(longest)
}
