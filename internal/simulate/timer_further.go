package simulate

import "math"

// furtherTimers is periodic software written down after the first weights had been chosen.
func furtherTimers() []Class {
	return []Class{
		{Name: "cron-fan-out", About: "a dozen cron jobs of one host behind one proxy", draw: cronFanOut},
		{Name: "nightly-backup", About: "a session each night: thousands of chunks of any size", draw: nightlyBackup},
		{Name: "service-heartbeat", About: "every 5 to 30 s; while its server is away, ever more seldom up to a few minutes", draw: serviceHeartbeat},
		{Name: "linger-flush", About: "a queue flushed every few seconds, unless it is empty", draw: lingerFlush},
		{Name: "typing-indicator", About: "a chat that says every few seconds while somebody types that he does, then the message; pauses of any length", draw: typingIndicator},
		{Name: "time-sync", About: "systemd-timesyncd: from 32 s, doubling to 2048 s", draw: timeSync},
		{Name: "tunnel-keepalive", About: "WireGuard: every 25 s while nothing else was sent", draw: tunnelKeepalive},
		{Name: "node-lease", About: "a kubelet's lease every 10 s, its status every 5 min", draw: nodeLease},
		{Name: "random-refresh", About: "four times a day at random minutes", draw: randomRefresh},
		{Name: "upload-window", About: "a recorder that uploads each full hour, as long as it takes", draw: uploadWindow},
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

func typingIndicator(s *script) {
	again, size := pick(s, 3.0, 4, 5, 10), int(s.spread(60, 200))
	at := 0.0
	for range s.count(15, 200) {
		left := s.exponential(9) // how long the message takes to write
		for ; left > again; left -= again {
			s.send(at, size)
			at += again + s.exponential(0.4)
		}
		at += left
		s.send(at, size+int(s.lognormal(60, 0.8)))
		at += s.pareto(5, 0.7)
	}
	s.limit(longest)
}

func tunnelKeepalive(s *script) {
	at, work := 0.0, s.spread(60, 1200)
	next := s.exponential(work)
	for range s.count(40, 1500) {
		if at+25 < next {
			at += 25 + s.between(0, 0.05)
			s.send(at, 32)
			continue
		}
		at = max(next, at)
		s.send(at, int(s.lognormal(600, 0.8)))
		next = at + s.exponential(work)
	}
}

func nodeLease(s *script) {
	n, size := s.count(30, 1500), int(s.spread(300, 600))
	s.renew(10, func() int { return size + s.IntN(3) }, s.band(10, 0.005))
	for at := 150.0; at < 10*float64(n); at += 300 {
		s.send(at, size*12)
	}
}

func randomRefresh(s *script) {
	for i := range s.count(12, 60) {
		at := 21600*float64(i) + 60*math.Floor(240*s.Float64())
		for range 4 + s.IntN(4) {
			s.send(at, int(s.lognormal(700, 0.2)))
			at += s.lognormal(0.5, 0.7)
		}
	}
}

func uploadWindow(s *script) {
	size := s.spread(2e4, 2e6)
	for i := range s.count(12, 150) {
		at := 3600*float64(i) + s.between(0, 3)
		for range s.count(2, 40) {
			s.send(at, int(size))
			at += s.lognormal(1.2, 0.4)
		}
	}
}
