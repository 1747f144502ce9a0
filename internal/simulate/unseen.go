package simulate

import "math"

// The classes of this file are Unseen: whoever changes a weight after looking at one of them moves it to the further ones
// and writes a new one.

func unseenImplants() []Class {
	return []Class{
		{Name: "hourly-redraw", About: "draws a new sleep each hour, keeps it with some jitter", draw: hourlyRedraw},
		{Name: "two-stage", About: "a stager that calls fast, then the implant it fetched, slow", draw: twoStage},
		{Name: "infected-fleet", About: "two to five hosts behind one address, the same implant, each in its own phase", draw: infectedFleet},
		{Name: "drip-exfiltration", About: "every T the next piece of whatever size there is", draw: dripExfiltration},
		{Name: "idle-gated", About: "calls only while its host's user is away", draw: idleGated},
		{Name: "screenshot-stealer", About: "every T a picture in tens of sends of one length", draw: screenshotStealer},
		{Name: "mqtt-implant", About: "a broker's keepalive and a report, each by its own timer", draw: mqttImplant},
		{Name: "reconnecting-socket", About: "pings on a connection that is made anew every few minutes", draw: reconnectingSocket},
	}
}

func hourlyRedraw(s *script) {
	period, jitter := s.spread(10, 300), pick(s, 0.05, 0.1, 0.2)
	p := s.web()
	sleep, redraw, at := period, 0.0, 0.0
	for range s.count(60, 1200) {
		if at >= redraw {
			sleep = period * s.between(0.5, 1.5)
			redraw = at + 3600
		}
		at += s.checkIn(at, p) + sleep*s.between(1-jitter, 1+jitter)
	}
}

func twoStage(s *script) {
	jitter := pick(s, 0, 0.1, 0.3)
	at := s.repeat(0, s.count(8, 60), s.check(), s.band(s.spread(1, 10), 0.05))
	period := s.spread(60, 1800)
	s.repeat(at, s.length(jitter, period), s.web(), s.band(period, jitter))
}

func infectedFleet(s *script) {
	period, jitter := s.spread(20, 900), pick(s, 0, 0.02, 0.05)
	end := period * float64(s.count(20, 300))
	p := s.check()
	p.tasking = 0
	for range 2 + s.IntN(4) {
		sleep := s.band(period, jitter)
		for at := period * s.Float64(); at < end; {
			at += s.checkIn(at, p) + sleep()
		}
	}
}

func dripExfiltration(s *script) {
	period, jitter := s.spread(5, 900), pick(s, 0, 0.1, 0.2, 0.3)
	s.renew(period, func() int { return int(s.pareto(600, 0.9)) }, s.band(period, jitter))
}

func idleGated(s *script) {
	period, jitter := s.spread(10, 300), pick(s, 0, 0.1, 0.2)
	p, sleep := s.web(), s.band(period, jitter)
	at := 0.0
	for range s.count(3, 15) {
		away := at + period*s.between(10, 40)
		for at < away {
			at += s.checkIn(at, p) + sleep()
		}
		at += s.lognormal(2400, 1)
	}
}

func screenshotStealer(s *script) {
	period, jitter := s.spread(30, 900), pick(s, 0, 0.05, 0.2)
	sleep := s.band(period, jitter)
	at := 0.0
	for range s.length(jitter, period) {
		begun := at
		for range 10 + s.IntN(50) {
			s.send(at, 16384)
			at += s.exponential(period * 0.0015)
		}
		s.send(at, 1+s.IntN(16384))
		at = max(begun+sleep(), at+1)
	}
}

func mqttImplant(s *script) {
	keep, report := pick(s, 30.0, 60, 120), s.spread(20, 900)
	end := max(keep, report) * float64(s.count(20, 200))
	for at := 0.0; at < end; at += keep * s.between(0.995, 1.005) {
		s.send(at, 2)
	}
	size := int(s.spread(60, 900))
	for at := report * s.Float64(); at < end; at += report * s.between(0.95, 1.05) {
		s.send(at, size+s.IntN(8))
	}
}

func reconnectingSocket(s *script) {
	ping, life := pick(s, 15.0, 20, 25, 30), s.spread(240, 1800)
	at := 0.0
	for range s.count(4, 60) {
		for _, size := range []int{517, 126, 240} {
			s.send(at, size)
			at += s.between(0.03, 0.2)
		}
		for closed := at + life*s.between(0.5, 1.5); at < closed; at += ping * s.between(0.98, 1.02) {
			s.send(at, 6)
		}
		at += s.between(1, 5)
	}
}

func unseenBenign() []Class {
	return []Class{
		{Name: "shared-editing", About: "several people type into one document: changes are collected for half a second", draw: sharedEditing},
		{Name: "position-by-distance", About: "a vehicle that reports every so many metres, in traffic", draw: positionByDistance},
		{Name: "query-dashboard", About: "an analyst's queries, each a handful of requests", draw: queryDashboard},
		{Name: "bulk-mailer", About: "as fast as the other side takes it, until the list is done", draw: bulkMailer},
		{Name: "back-pressure", About: "a stream whose consumer sets the pace, now fast, now slow", draw: backPressure},
		{Name: "lossy-requests", About: "requests at random, lost ones repeated after 3 and 9 s", draw: lossyRequests},
		{Name: "vending-machine", About: "sales at random, most at noon, two messages each", draw: vendingMachine},
		{Name: "scrolling", About: "a feed that loads more when its end is near", draw: scrolling},
	}
}

func sharedEditing(s *script) {
	people, at := 1+s.IntN(4), 0.0
	for range s.count(20, 600) {
		left := s.exponential(8 / float64(people))
		for ; left > 0; left -= 0.5 {
			s.send(at, int(s.lognormal(180, 0.35)))
			at += 0.5 + s.exponential(0.3)
		}
		at += s.lognormal(10/float64(people), 1.2)
	}
}

func positionByDistance(s *script) {
	metres, usual := s.spread(50, 1000), s.between(6, 25)
	size := 90 + s.IntN(60)
	traffic := 0.0 // a walk that sticks to a limit would drive at one speed most of the time
	at := 0.0
	for range s.count(20, 1000) {
		s.send(at, size+s.IntN(3))
		traffic = 0.8*traffic + 0.3*s.NormFloat64()
		at += metres / (usual * math.Exp(traffic))
		if s.chance(0.15) {
			at += s.exponential(40) // a red light
		}
	}
}

func queryDashboard(s *script) {
	at := 0.0
	for range s.count(6, 120) {
		for range 3 + s.IntN(6) {
			s.send(at, int(s.lognormal(900, 0.3)))
			at += s.exponential(0.05)
		}
		at += s.lognormal(35, 1.1)
	}
}

func bulkMailer(s *script) {
	at, pace := 0.0, s.spread(0.2, 5)
	for range s.count(1, 12) {
		for range s.count(20, 300) {
			s.send(at, int(s.lognormal(9000, 0.25)))
			at += s.lognormal(pace, 0.8)
		}
		at += s.lognormal(7200, 1)
	}
	s.limit(longest)
}

func backPressure(s *script) {
	pace, size := s.spread(0.1, 20), int(s.spread(1000, 60000))
	mood := 0.0
	s.renew(pace, func() int { return size }, func() float64 {
		mood = 0.95*mood + 0.35*s.NormFloat64()
		return s.gamma(1.5, pace*math.Exp(mood))
	})
}

func lossyRequests(s *script) {
	mean, loss, size := s.spread(10, 600), s.between(0.1, 0.4), int(s.spread(60, 900))
	at := 0.0
	for range s.count(15, 500) {
		s.send(at, size)
		if s.chance(loss) {
			s.send(at+3, size)
			if s.chance(loss) {
				s.send(at+12, size)
			}
		}
		at += s.exponential(mean)
	}
}

func vendingMachine(s *script) {
	mean, size := s.spread(120, 1800), int(s.spread(80, 300))
	s.window = s.between(1, 7) * 86400
	for at := s.exponential(mean); at < s.window; at += s.exponential(mean) {
		noon := math.Abs(math.Mod(at, 86400)/3600 - 12)
		if s.chance(math.Exp(-noon / 3)) {
			s.send(at, size)
			s.send(at+s.between(2, 6), size+12)
		}
	}
}

func scrolling(s *script) {
	at := 0.0
	for range s.count(3, 40) {
		for range s.count(4, 60) {
			s.send(at, 420+s.IntN(30))
			at += 1 + s.lognormal(5, 0.8)
		}
		at += s.pareto(600, 0.8)
	}
	s.limit(longest)
}

func unseenTimers() []Class {
	return []Class{
		{Name: "polite-crawler", About: "one page, then random.uniform(1, 5) seconds of sleep", draw: politeCrawler},
		{Name: "solar-inverter", About: "every five minutes while the sun shines", draw: solarInverter},
		{Name: "sensor-with-alarm", About: "a reading each minute or few, more when it changes", draw: sensorWithAlarm},
		{Name: "health-check", About: "a load balancer's probe every 5 to 30 s, twice as often while unhealthy", draw: healthCheck},
	}
}

func politeCrawler(s *script) {
	lo := pick(s, 0.5, 1, 2)
	hi := lo * pick(s, 2.0, 3, 5)
	s.renew(hi, func() int { return int(s.lognormal(380, 0.15)) }, func() float64 { return s.between(lo, hi) + s.lognormal(0.3, 0.6) })
}

func solarInverter(s *script) {
	size := int(s.spread(200, 900))
	for day := range 1 + s.IntN(7) {
		rise, set := s.between(6, 7)*3600, s.between(18, 20)*3600
		for at := rise; at < set; at += 300 + s.between(-2, 2) {
			s.send(float64(day)*86400+at, size+s.IntN(20))
		}
	}
	s.rebase()
}

func sensorWithAlarm(s *script) {
	every, size := pick(s, 60.0, 120, 300, 600), 40+s.IntN(100)
	end := every * float64(s.count(30, 600))
	for at := 0.0; at < end; at += every * s.between(0.99, 1.01) {
		s.send(at, size)
	}
	rare := every * s.spread(3, 30)
	for at := s.exponential(rare); at < end; at += s.exponential(rare) {
		s.send(at, size+4)
	}
}

func healthCheck(s *script) {
	every, size := pick(s, 5.0, 10, 15, 30), int(s.spread(80, 300))
	at := 0.0
	for range s.count(2, 12) {
		at = s.repeat(at, s.count(20, 200), payload{size: size, round: 0.01}, s.band(every, 0.01))
		at = s.repeat(at, s.count(3, 20), payload{size: size, round: 0.01}, s.band(every/2, 0.02))
	}
}
