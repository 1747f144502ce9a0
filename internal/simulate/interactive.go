package simulate

import "math"

// interactive is traffic that people cause: sessions, bursts and pauses on every scale.
func interactive() []Class {
	return []Class{
		{Name: "browsing", About: "page loads of 3 to 40 requests, reading in between, hours away", draw: browsing},
		{Name: "ssh-session", About: "keystrokes of one packet size, pauses to think", draw: sshSession},
		{Name: "bursty-client", About: "bursts of random length at random times", draw: burstyClient},
		{Name: "package-manager", About: "apt or dnf by hand: runs of requests as fast as the downloads end", draw: packageManager},
		{Name: "bulk-download", About: "range requests and acknowledged uploads, driven by bandwidth", draw: bulkDownload},
		{Name: "mail-client", About: "IMAP IDLE: woken by arriving mail, renewed when nothing came", draw: mailClient},
		{Name: "diurnal", About: "requests of a whole office: a random process whose rate follows the day", draw: diurnal},
	}
}

func browsing(s *script) {
	at := 0.0
	size := s.spread(300, 1200)
	for range s.count(2, 12) {
		for range s.count(2, 25) {
			load := at
			for range s.count(3, 40) {
				s.send(load, int(s.lognormal(size, 0.5)))
				load += s.exponential(s.spread(0.02, 0.4))
			}
			at = load + s.lognormal(20, 1.2)
		}
		at += s.pareto(300, 0.9)
	}
	s.limit(longest)
}

func sshSession(s *script) {
	key := pick(s, 36, 36, 44, 52, 68)
	at := 0.0
	for range s.count(4, 120) {
		for range s.count(2, 30) {
			s.send(at, key+pick(s, 0, 0, 0, 0, 8, 16))
			at += s.lognormal(0.18, 0.6)
		}
		at += s.lognormal(6, 1.3)
	}
}

func burstyClient(s *script) {
	between, inside := s.spread(5, 3600), s.spread(0.05, 2)
	size, sigma := s.spread(60, 4000), pick(s, 0, 0.05, 0.4, 1)
	at := 0.0
	for range s.count(6, 150) {
		for range s.count(1, 20) {
			s.send(at, int(s.lognormal(size, sigma)))
			at += s.exponential(inside)
		}
		at += s.exponential(between)
	}
}

func packageManager(s *script) {
	at := 0.0
	size := s.between(140, 260)
	for range s.count(1, 10) {
		for range s.count(6, 150) {
			s.send(at, int(s.lognormal(size, 0.12)))
			at += s.lognormal(0.4, 1.3)
		}
		at += s.exponential(6 * 3600)
	}
	s.limit(longest)
}

func bulkDownload(s *script) {
	rate := s.spread(1e5, 2e7)
	write := pick(s, 1448, 16384, 65536, 1<<20)
	at := 0.0
	speed := rate
	for range s.count(50, 3000) {
		s.send(at, write)
		speed = rate * math.Exp(0.9*math.Log(speed/rate)+0.3*s.NormFloat64())
		at += float64(write) / speed * s.between(0.5, 1.5)
		if s.chance(0.01) { // the disk, the window or another flow holds it up
			at += s.lognormal(0.5, 1.2)
		}
	}
}

func mailClient(s *script) {
	renew := pick(s, 9.0, 14, 29) * 60
	arrivals := renew / s.between(3, 12)
	s.window = s.spread(3, 72) * 3600
	at, idle := 0.0, 0.0
	for at < s.window {
		wait := s.exponential(arrivals * s.lognormal(1, 0.7))
		if at+wait-idle > renew {
			at = idle + renew
			s.send(at, 46)
		} else {
			at += wait
			for i := range 1 + s.IntN(4) {
				s.send(at+0.05*float64(i), int(s.lognormal(60, 0.3)))
			}
		}
		idle = at
	}
}

func diurnal(s *script) {
	mean, peak := s.spread(20, 900), s.between(9, 16)
	depth := s.between(0.7, 0.98)
	size, sigma := s.spread(80, 1500), pick(s, 0, 0.02, 0.3, 0.8)
	s.window = s.between(1, 6) * 86400
	for at := 0.0; at < s.window; {
		at += s.exponential(mean)
		day := 0.5 * (1 + math.Cos(2*math.Pi*(at/86400-peak/24)))
		if s.chance(1 - depth + depth*day) {
			s.send(at, int(s.lognormal(size, sigma)))
		}
	}
}

// limit cuts the observation at the given time if it is longer.
func (s *script) limit(most float64) {
	if n := len(s.sends); n > 0 && s.sends[n-1].at > most {
		s.window = most
	}
}
