package simulate

import "math"

// services are programs that work on demand: their rhythm is that of their input.
func services() []Class {
	return []Class{
		{Name: "log-shipper", About: "flushes when the batch is full; the event rate wanders", draw: logShipper},
		{Name: "database-client", About: "a few statements, sent when the web front has a visitor", draw: databaseClient},
		{Name: "retry-with-back-off", About: "doubling delays up to a cap after each failure, then work again", draw: retryBackoff},
		{Name: "keepalive-when-idle", About: "a busy connection whose keepalive timer rarely gets to fire", draw: keepaliveWhenIdle},
		{Name: "batch-jobs", About: "one report after another, each as long as its job took", draw: batchJobs},
		{Name: "web-crawler", About: "next URL when the last one is fetched; the queue runs dry", draw: webCrawler},
		{Name: "iot-events", About: "a motion sensor: equal messages, in clusters, with a hold-off", draw: iotEvents},
		{Name: "fixed-retries", About: "look-ups that fail are asked again twice or thrice, five seconds apart", draw: fixedRetries},
		{Name: "webhooks", About: "notifications of one size when something happens upstream", draw: webhooks},
	}
}

func logShipper(s *script) {
	batch, rate := s.count(5, 200), s.spread(0.05, 20)
	size := s.spread(500, 60000)
	now, swing, hold := rate, s.between(0.7, 1.3), s.between(0.5, 0.9)
	at := 0.0
	for range s.count(12, 800) {
		at += s.gamma(float64(batch), float64(batch)/now)
		s.send(at, int(s.lognormal(size, 0.08)))
		now = rate * math.Exp(hold*math.Log(now/rate)+swing*math.Sqrt(1-hold*hold)*s.NormFloat64())
	}
}

func databaseClient(s *script) {
	visit := s.spread(1, 300)
	statements := make([]int, 2+s.IntN(6))
	for i := range statements {
		statements[i] = int(s.spread(30, 900))
	}
	at := 0.0
	for range s.count(15, 500) {
		for _, size := range statements[:1+s.IntN(len(statements))] {
			s.send(at, size+s.IntN(6))
			at += s.lognormal(0.01, 1)
		}
		at += s.exponential(visit)
	}
}

func retryBackoff(s *script) {
	first, most := pick(s, 0.5, 1.0, 2, 5), pick(s, 60.0, 120, 300)
	size, shake := int(s.spread(60, 600)), pick(s, 0, 0.1, 0.5)
	at := 0.0
	for range s.count(4, 60) {
		for delay := first; s.chance(0.85) && delay < most; delay *= 2 {
			s.send(at, size)
			at += delay * s.between(1-shake, 1+shake)
		}
		at += s.exponential(most)
		s.send(at, size+int(s.lognormal(300, 0.8)))
	}
}

func keepaliveWhenIdle(s *script) {
	timer := pick(s, 15.0, 30, 60, 75, 120)
	mean := timer / s.between(3, 10)
	size := s.spread(60, 1500)
	at := 0.0
	for range s.count(25, 1500) {
		if wait := s.exponential(mean); wait < timer {
			at += wait
			s.send(at, int(s.lognormal(size, 0.5)))
		} else {
			at += timer
			s.send(at, 2)
		}
	}
}

func batchJobs(s *script) {
	median, sigma := s.spread(5, 1800), s.between(0.6, 1.3)
	size, vary := s.spread(200, 3000), pick(s, 0, 0, 0.02, 0.3)
	at := 0.0
	for range s.count(12, 600) {
		at += s.lognormal(median, sigma)
		s.send(at, int(s.lognormal(size, vary)))
	}
	s.limit(longest)
}

func webCrawler(s *script) {
	fetch, sigma := s.spread(0.1, 5), s.between(0.6, 1.1)
	at := 0.0
	for range s.count(2, 30) {
		for range s.count(5, 150) {
			s.send(at, int(s.lognormal(380, 0.15)))
			at += s.lognormal(fetch, sigma)
		}
		at += s.exponential(600)
	}
}

func iotEvents(s *script) {
	hold, quiet := s.spread(1, 30), s.spread(120, 3600)
	size := int(s.spread(40, 300))
	s.window = s.spread(6, 96) * 3600
	for at := s.exponential(quiet); at < s.window; {
		for range s.count(1, 12) {
			s.send(at, size)
			at += hold + s.exponential(hold*s.between(2, 6))
		}
		at += s.exponential(quiet)
	}
}

func webhooks(s *script) {
	mean := s.spread(2, 900)
	size, tail := int(s.spread(150, 2000)), s.between(0.4, 1.2)
	at := 0.0
	for range s.count(12, 1000) {
		s.send(at, size+s.IntN(3))
		at += s.exponential(mean * s.lognormal(1, tail))
	}
}

func fixedRetries(s *script) {
	again, mean := pick(s, 1.0, 2, 5, 5), s.spread(20, 1800)
	fails := s.between(0.2, 0.6)
	at := 0.0
	for range s.count(10, 400) {
		size := 28 + s.IntN(37)
		s.send(at, size)
		for retry := 1.0; retry <= 3 && s.chance(fails); retry++ {
			s.send(at+again*retry, size)
		}
		at += 3*again + s.exponential(mean)
	}
}
