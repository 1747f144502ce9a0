package simulate

import "math"

// furtherBenign is traffic without a timer of its own, written down after the first weights had been chosen.
func furtherBenign() []Class {
	return []Class{
		{Name: "web-shop", About: "search as one types, pages, images; visits of a few minutes, days apart", draw: webShop},
		{Name: "batch-uploader", About: "analytics: flushed at twenty events or when the user leaves", draw: batchUploader},
		{Name: "dependency-fetch", About: "a build that resolves and downloads, a few times a day", draw: dependencyFetch},
		{Name: "full-jitter-back-off", About: "after a failure a wait drawn from nothing to a ceiling that doubles", draw: fullJitter},
		{Name: "expiring-cache", About: "a name is asked for again when it is needed and its time has run out", draw: expiringCache},
		{Name: "cloud-sync", About: "a watched folder: changes within two seconds are one upload", draw: cloudSync},
		{Name: "syslog", About: "one datagram per event of a machine: bursts over a slow trickle", draw: syslogEvents},
		{Name: "market-data", About: "orders follow the market: waves on every scale from a second to a day", draw: marketData},
		{Name: "load-test", About: "as fast as a worker pool gets answers, with pauses between runs", draw: loadTest},
		{Name: "call-center", About: "a telephone client: a few messages per call, calls as they come", draw: callCenter},
		{Name: "rate-limited", About: "a token bucket paces a crawler whenever its queue is full, which it is half of the time", draw: rateLimited},
		{Name: "warehouse-robot", About: "one order after another, each as long as the way is, with a report of one size", draw: warehouseRobot},
		{Name: "autosave", About: "an editor that saves three seconds after the last key", draw: autosave},
		{Name: "block-announcements", About: "a chain whose blocks come at random, each announced by a few peers", draw: blockAnnouncements},
		{Name: "lift-telemetry", About: "a message when a lift leaves and one when it arrives", draw: liftTelemetry},
		{Name: "circuit-breaker", About: "requests at random; after a failure none for half a minute, then a probe", draw: circuitBreaker},
		{Name: "print-jobs", About: "office printing: jobs at random by day, pages of one after another", draw: printJobs},
		{Name: "alarm-panel", About: "events now and then, storms of them when something is wrong", draw: alarmPanel},
		{Name: "media-browsing", About: "thumbnails while scrolling, then a look at one of them", draw: mediaBrowsing},
		{Name: "two-services", About: "two random services of different pace behind one address", draw: twoServices},
	}
}

func webShop(s *script) {
	at := 0.0
	for range s.count(3, 20) {
		for range s.count(2, 15) {
			for range s.IntN(8) { // suggestions while typing
				s.send(at, 400+s.IntN(12))
				at += s.lognormal(0.3, 0.5)
			}
			for range s.count(2, 25) {
				s.send(at, int(s.lognormal(520, 0.4)))
				at += s.exponential(0.08)
			}
			at += s.lognormal(18, 0.9)
		}
		at += s.pareto(1800, 0.8)
	}
	s.limit(longest)
}

func batchUploader(s *script) {
	pace := s.spread(0.3, 6)
	size := s.spread(1500, 12000)
	at := 0.0
	for range s.count(6, 120) {
		events := s.count(5, 400)
		for events > 0 {
			n := min(events, 20)
			mood := s.lognormal(1, 0.6)
			at += s.gamma(float64(n), float64(n)*pace*mood)
			s.send(at, int(s.lognormal(size*float64(n)/20, 0.1)))
			events -= n
		}
		at += s.lognormal(2400, 1.3)
	}
	s.limit(longest)
}

func dependencyFetch(s *script) {
	at := 0.0
	for range s.count(2, 25) {
		for range s.count(8, 120) {
			s.send(at, int(s.lognormal(260, 0.2)))
			at += s.lognormal(0.08, 1.4)
		}
		at += s.exponential(7200)
	}
	s.limit(longest)
}

func fullJitter(s *script) {
	base, most := pick(s, 0.5, 1, 2), pick(s, 20.0, 60, 120)
	work, size := s.spread(5, 300), int(s.spread(100, 900))
	at := 0.0
	for range s.count(12, 250) {
		s.send(at, size)
		for ceiling := base; s.chance(0.6); ceiling = min(2*ceiling, most) {
			at += ceiling * s.Float64()
			s.send(at, size)
		}
		at += s.exponential(work)
	}
}

func expiringCache(s *script) {
	expiry := pick(s, 5.0, 30, 60, 60, 300)
	need := expiry * s.spread(0.8, 8)
	size := 30 + s.IntN(40)
	s.renew(expiry+need, func() int { return size }, func() float64 { return expiry + s.exponential(need) })
}

func cloudSync(s *script) {
	at := 0.0
	for range s.count(8, 150) {
		for range s.count(1, 12) {
			s.send(at, int(s.pareto(900, 0.9)))
			at += 2 + s.lognormal(6, 1.3)
		}
		at += s.lognormal(1500, 1.4)
	}
	s.limit(longest)
}

func syslogEvents(s *script) {
	trickle := s.spread(2, 300)
	at := 0.0
	for range s.count(15, 400) {
		burst := 1
		if s.chance(0.2) {
			burst = s.count(2, 40)
		}
		for range burst {
			s.send(at, int(s.lognormal(130, 0.25)))
			at += s.lognormal(0.02, 1.2)
		}
		at += s.exponential(trickle)
	}
	s.limit(longest)
}

func marketData(s *script) {
	mean, size := s.spread(0.5, 120), int(s.spread(80, 220))
	var waves [4]float64 // the logarithm of the rate is a sum of these, each ten times as slow as the one before
	s.renew(mean, func() int { return size + s.IntN(4) }, func() float64 {
		rate, slow := 0.0, 1.0
		for i := range waves {
			waves[i] += -waves[i]/slow + math.Sqrt(2/slow)*0.35*s.NormFloat64()
			waves[i] = min(max(waves[i], -2), 2)
			rate += waves[i]
			slow *= 10
		}
		return s.exponential(mean * math.Exp(rate))
	})
}

func loadTest(s *script) {
	answer, sigma, workers := s.spread(0.02, 1), s.between(0.3, 1), 2+s.IntN(15)
	size := int(s.spread(150, 900))
	from := 0.0
	for range s.count(1, 6) {
		run := answer * float64(s.count(10, 200))
		for range workers {
			for at := from + s.exponential(answer); at < from+run; at += s.lognormal(answer, sigma) {
				s.send(at, size)
			}
		}
		from += run + s.exponential(900)
	}
}

func callCenter(s *script) {
	between := s.spread(60, 1200)
	messages := []int{600 + s.IntN(300), 350 + s.IntN(100), 420 + s.IntN(100)}
	at := 0.0
	for range s.count(6, 150) {
		s.send(at, messages[0])
		at += s.exponential(8)
		s.send(at, messages[1])
		at += s.lognormal(150, 0.9)
		s.send(at, messages[2])
		at += s.exponential(between)
	}
	s.limit(longest)
}

func rateLimited(s *script) {
	pace := s.spread(0.5, 10)
	at := 0.0
	for range s.count(6, 80) {
		for range s.count(1, 12) { // the bucket is empty: one token at a time
			s.send(at, int(s.lognormal(420, 0.2)))
			at += pace + s.exponential(0.2*pace)
		}
		for range s.count(3, 40) {
			s.send(at, int(s.lognormal(420, 0.2)))
			at += s.lognormal(1.5*pace, 1)
		}
		at += s.lognormal(60*pace, 1)
	}
	s.limit(longest)
}

func warehouseRobot(s *script) {
	nearest, farthest, size := s.spread(10, 60), s.between(3, 8), int(s.spread(80, 400))
	at := 0.0
	for range s.count(20, 600) {
		s.send(at, size)
		way := s.Float64() * s.Float64() // most shelves are near
		at += nearest*(1+way*farthest) + s.exponential(nearest/2)
		if s.chance(0.05) {
			at += s.lognormal(900, 0.8) // charging
		}
	}
}

func autosave(s *script) {
	size := s.spread(500, 20000)
	at := 0.0
	for range s.count(15, 400) {
		at += s.exponential(s.spread(4, 40)) // writing
		s.send(at+3, int(s.lognormal(size, 0.05)))
		at += 3 + s.lognormal(12, 1.1) // thinking
	}
}

func blockAnnouncements(s *script) {
	mean, header := pick(s, 60.0, 150, 600), 90+s.IntN(40)
	at := 0.0
	for range s.count(12, 500) {
		at += s.exponential(mean)
		late := at
		for range 1 + s.IntN(4) {
			s.send(late, header)
			late += s.exponential(0.8)
		}
	}
	s.limit(longest)
}

func liftTelemetry(s *script) {
	ride, quiet, size := s.between(12, 25), s.spread(20, 600), 64+s.IntN(100)
	at := 0.0
	for range s.count(12, 500) {
		s.send(at, size)
		at += ride * float64(1+s.IntN(6)) / 3
		s.send(at, size)
		at += s.exponential(quiet)
	}
	s.limit(longest)
}

func circuitBreaker(s *script) {
	mean, open, fails := s.spread(3, 120), pick(s, 10.0, 30, 60), s.between(0.02, 0.15)
	size := s.spread(200, 2000)
	at := 0.0
	for range s.count(20, 800) {
		s.send(at, int(s.lognormal(size, 0.3)))
		if s.chance(fails) {
			at += open
			continue
		}
		at += s.exponential(mean)
	}
}

func printJobs(s *script) {
	mean := s.spread(120, 2400)
	s.window = s.between(1, 5) * 86400
	for at := s.exponential(mean); at < s.window; at += s.exponential(mean) {
		if math.Mod(at, 86400) > 9*3600 {
			continue
		}
		page := at
		for range s.count(1, 20) {
			s.send(page, int(s.lognormal(60000, 0.7)))
			page += s.lognormal(2, 0.4)
		}
	}
}

func alarmPanel(s *script) {
	quiet, size := s.spread(300, 7200), int(s.spread(60, 250))
	at := 0.0
	for range s.count(12, 200) {
		s.send(at, size)
		if s.chance(0.1) {
			for range s.count(5, 60) {
				at += s.pareto(0.5, 1.1)
				s.send(at, size)
			}
		}
		at += s.exponential(quiet)
	}
	s.limit(longest)
}

func mediaBrowsing(s *script) {
	at := 0.0
	for range s.count(5, 80) {
		for range s.count(3, 30) {
			for range s.count(2, 12) {
				s.send(at, 300+s.IntN(40))
				at += s.exponential(0.06)
			}
			at += s.lognormal(1.5, 0.7)
		}
		s.send(at, int(s.lognormal(450, 0.2)))
		at += s.lognormal(60, 1.3)
	}
	s.limit(longest)
}

func twoServices(s *script) {
	fast := s.spread(0.5, 60)
	slow := fast * s.spread(3, 30)
	a, b := int(s.spread(60, 1000)), int(s.spread(60, 1000))
	s.window = slow * float64(s.count(10, 200))
	for at := s.exponential(fast); at < s.window; at += s.exponential(fast) {
		s.send(at, a)
	}
	for at := s.exponential(slow); at < s.window; at += s.exponential(slow) {
		s.send(at, b)
	}
}
