package simulate

import "math"

// timers is benign software that really is periodic, by a timer or by a closed loop of constant pace. Its timing is an
// implant's: only who sends, and to whom, tells them apart, so these classes are never counted as false alarms of timing.
func timers() []Class {
	return []Class{
		{Name: "ntp-client", About: "polls every 64 to 1024 s, doubling while the clock is steady", draw: ntpClient},
		{Name: "metrics-agent", About: "every 10 to 60 s, the size of its metrics", draw: metricsAgent},
		{Name: "guest-agent", About: "a cloud's agent: two requests every 5 to 60 s", draw: guestAgent},
		{Name: "ssh-keepalive", About: "ServerAliveInterval on an idle session", draw: sshKeepalive},
		{Name: "puppet", About: "every half hour with a splay, many requests per run", draw: puppet},
		{Name: "package-timer", About: "apt-daily: twice a day with up to 12 h of random delay", draw: packageTimer},
		{Name: "dhcp-renewal", About: "half the lease, each time", draw: dhcpRenewal},
		{Name: "industrial-polling", About: "Modbus: every 0.2 to 5 s, always 12 bytes", draw: industrialPolling},
		{Name: "sequential-fetch", About: "object after object from one server whose answer takes about the same time", draw: sequentialFetch},
	}
}

// heldOutTimers is more of the same that nobody tunes on.
func heldOutTimers() []Class {
	return []Class{
		{Name: "mail-poller", About: "checks its mailbox every few minutes", draw: mailPoller},
		{Name: "shipper-heartbeat", About: "a log shipper's keepalive, with data when there is some", draw: shipperHeartbeat},
		{Name: "open-tab", About: "a page that asks for news while somebody has it open", draw: openTab},
		{Name: "media-segments", About: "a player that fetches the next segment when one has played", draw: mediaSegments},
	}
}

func ntpClient(s *script) {
	poll := pick(s, 64.0, 64, 128, 256)
	at := 0.0
	for range s.count(12, 500) {
		s.send(at, 48)
		at += poll * s.between(0.98, 1.02)
		if s.chance(0.05) {
			poll = min(poll*2, 1024)
		} else if s.chance(0.01) {
			poll = 64
		}
	}
	s.limit(longest)
}

func metricsAgent(s *script) {
	every, size := pick(s, 10.0, 10, 15, 30, 60), s.spread(300, 20000)
	s.renew(every, func() int { return int(s.lognormal(size, 0.03)) }, s.band(every, 0.01))
}

func guestAgent(s *script) {
	every := pick(s, 5.0, 6, 10, 15, 30, 60)
	p := payload{size: int(s.spread(120, 400)), sends: 1, round: 0.01}
	s.repeat(0, s.count(12, 1500), p, s.band(every, 0.02))
}

func sshKeepalive(s *script) {
	every := pick(s, 15.0, 30, 60, 120, 300)
	s.renew(every, func() int { return 92 }, s.band(every, 0.003))
}

func puppet(s *script) {
	splay := s.between(0, 300)
	for i := range s.count(12, 200) {
		at := float64(i)*1800 + splay + s.between(0, 20)
		for range 8 + s.IntN(10) {
			s.send(at, int(s.lognormal(1500, 0.8)))
			at += s.exponential(0.8)
		}
	}
}

func packageTimer(s *script) {
	for i := range s.count(10, 30) {
		at := float64(i)*43200 + s.between(0, 3600)
		for range 6 + s.IntN(6) {
			s.send(at, int(s.lognormal(200, 0.1)))
			at += s.lognormal(0.2, 0.8)
		}
	}
}

func dhcpRenewal(s *script) {
	lease := pick(s, 600.0, 3600, 7200, 86400) / 2
	s.renew(lease, func() int { return 300 }, s.band(lease, 0.01))
}

func industrialPolling(s *script) {
	every := pick(s, 0.2, 0.5, 1, 1, 2, 5)
	s.renew(every, func() int { return 12 }, s.band(every, 0.03))
}

func mailPoller(s *script) {
	every := pick(s, 1.0, 3, 5, 10, 15) * 60
	p := payload{size: 120, vary: 10, sends: 3, round: 0.04, tasking: 0.1}
	s.repeat(0, s.length(0.02, every), p, s.band(every, 0.01))
}

func shipperHeartbeat(s *script) {
	every := pick(s, 10.0, 15, 30, 60)
	n := s.count(20, 1000)
	s.repeat(0, n, payload{size: 64, round: 0.01}, s.band(every, 0.005))
	mean := every * s.spread(0.7, 10)
	for at := s.exponential(mean); at < float64(n)*every; at += s.exponential(mean) {
		s.send(at, int(s.lognormal(3000, 0.8)))
	}
}

func mediaSegments(s *script) {
	segment := pick(s, 2.0, 4, 6, 10)
	s.renew(segment, func() int { return 380 + s.IntN(8) }, func() float64 {
		return math.Max(segment+0.05*segment*s.NormFloat64(), 0.2)
	})
}

func sequentialFetch(s *script) {
	pace, size := s.spread(0.06, 3), s.spread(150, 600)
	s.renew(pace, func() int { return int(s.lognormal(size, 0.03)) }, func() float64 { return s.lognormal(pace, 0.15) })
}

func openTab(s *script) {
	every := pick(s, 2.0, 5, 10, 15, 30)
	at := 0.0
	for range s.count(3, 30) {
		n := 2 + int(s.exponential(600)/every)
		at = s.repeat(at, min(n, 500), payload{size: 420, vary: 8, round: 0.05}, s.band(every, 0.02)) + s.exponential(5400)
	}
}
