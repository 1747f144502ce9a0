package simulate

import "math"

// implants are the tools of the trade with their own sleep functions, read in their sources or leaked profiles.
func implants() []Class {
	return []Class{
		{Name: "cobalt-strike", About: "sleep T (1 − J·u), J up to 50 %", draw: cobaltStrike},
		{Name: "cobalt-strike-wild", About: "the leaked profile: 30 s at 90 % jitter", draw: cobaltStrikeWild},
		{Name: "sliver", About: "T + U[0, jitter)", draw: sliver},
		{Name: "poseidon", About: "Mythic Poseidon: T (1 ± k %), integer k below J", draw: poseidon},
		{Name: "havoc", About: "± U(0, J·T), silent outside working hours", draw: havoc},
		{Name: "empire", About: "randint((1−J) T, (1+J) T) in whole seconds", draw: empire},
		{Name: "merlin", About: "sleep plus a skew, every message padded by up to 4096 bytes", draw: merlin},
		{Name: "metasploit", About: "10 ms more after each empty poll, up to 10 s; back to 0 when tasked", draw: metasploit},
		{Name: "cron-curl", About: "curl from cron: exact minutes, start-up delay, a new connection each time", draw: cronCurl},
		{Name: "systemd-timer", About: "OnUnitActiveSec or OnCalendar, sometimes with RandomizedDelaySec", draw: systemdTimer},
		{Name: "shell-loop", About: "while true; do work; sleep T: the work takes its time", draw: shellLoop},
		{Name: "chunked-exfiltration", About: "fixed chunks of 512 B to 10 MB, fixed pause, one connection", draw: chunks},
		{Name: "dns-tunnel", About: "DNS over UDP: one to four queries per check-in, names differ", draw: dnsTunnel},
		{Name: "long-poll", About: "the server holds the request for T and answers early when it has a task", draw: longPoll},
	}
}

func cobaltStrike(s *script) {
	period, jitter := s.period(), pick(s, 0, 0.1, 0.2, 0.3, 0.37, 0.5)
	width := jitter / (2 - jitter)
	s.repeat(0, s.length(width, period), s.web(), func() float64 { return period * (1 - jitter*s.Float64()) })
}

func cobaltStrikeWild(s *script) {
	s.repeat(0, s.count(40, 1500), s.web(), func() float64 { return 30 * (1 - 0.9*s.Float64()) })
}

func sliver(s *script) {
	period := s.period()
	more := period * pick(s, 0.1, 0.25, 0.5, 0.5, 1)
	width := more / (2*period + more)
	s.repeat(0, s.length(width, period), s.web(), func() float64 { return period + more*s.Float64() })
}

func poseidon(s *script) {
	period, jitter := s.period(), pick(s, 1, 10, 23, 23, 37, 50)
	s.repeat(0, s.length(float64(jitter)/100, period), s.web(), func() float64 {
		k := float64(s.IntN(jitter)) / 100
		if s.chance(0.5) {
			k = -k
		}
		return period * (1 + k)
	})
}

func havoc(s *script) {
	period, jitter := s.spread(2, 1200), pick(s, 0, 0.15, 0.3, 0.5)
	sleep := s.band(period, jitter)
	if s.chance(0.5) {
		s.repeat(0, s.length(jitter, period), s.web(), sleep)
		return
	}
	start, end := pick(s, 7.0, 8, 9)*3600, pick(s, 16.0, 17, 18)*3600
	at := s.between(start, end-3600)
	n := max(s.length(jitter, period), int((end-start)*s.between(1, 3)/period))
	p := s.web()
	for range min(n, 4000) {
		if clock := math.Mod(at, 86400); clock < start {
			at += start - clock + period*s.Float64()
		} else if clock > end {
			at += start + 86400 - clock + period*s.Float64()
		}
		at += s.checkIn(at, p) + sleep()
	}
	s.rebase()
}

func empire(s *script) {
	period, jitter := math.Round(s.spread(5, 3600)), pick(s, 0, 0.1, 0.2, 0.5)
	s.repeat(0, s.length(jitter, period), s.web(), func() float64 {
		lo, hi := int((1-jitter)*period), int((1+jitter)*period)
		return float64(lo + s.IntN(hi-lo+1))
	})
}

func merlin(s *script) {
	period := s.spread(10, 600)
	skew := pick(s, 0.1, 0.3, 0.6) * period
	p := s.web()
	base := p.size
	at := 0.0
	for range s.length(skew/(2*period+skew), period) {
		p.size = base + s.IntN(4097)
		at += s.checkIn(at, p) + period + skew*s.Float64()
	}
}

func metasploit(s *script) {
	p := s.check()
	p.tasking = 0
	at, empty := 0.0, s.IntN(200)
	tasked := pick(s, 0, 0, 0.002)
	for range s.count(150, 2500) {
		took := s.checkIn(at, p)
		empty++
		if s.chance(tasked) {
			empty = 0
		}
		at += took + min(0.01*float64(empty), 10)
	}
}

func cronCurl(s *script) {
	every := pick(s, 1.0, 1, 5, 5, 10, 15, 30, 60) * 60
	p := s.check()
	p.tasking = 0
	if s.chance(0.5) {
		p.sends = 2 + s.IntN(2)
	}
	boot := s.between(0.05, 1.2)
	for i := range s.length(0.02, every) {
		s.checkIn(float64(i)*every+boot*s.between(0.8, 2), p)
	}
}

func systemdTimer(s *script) {
	every := pick(s, 60.0, 120, 300, 600, 900, 1800, 3600)
	delay := pick(s, 0, 0, 0.05, 0.2) * every
	p := s.web()
	for i := range s.length(delay/every, every) {
		s.checkIn(float64(i)*every+delay*s.Float64()+s.between(0.02, 0.8), p)
	}
}

func shellLoop(s *script) {
	period := s.spread(2, 1800)
	work := period * pick(s, 0.005, 0.02, 0.05)
	s.repeat(0, s.length(0.1, period), s.web(), func() float64 { return period + s.lognormal(work, 0.7) })
}

func chunks(s *script) {
	size, pause := int(s.spread(512, 10<<20)), s.spread(0.2, 60)
	rate := s.spread(2e5, 5e7) // bytes per second of the uplink
	writes := min(8, 1+size/65536)
	at := 0.0
	n := s.count(10, 1000)
	for i := range n {
		left := size
		if i == n-1 {
			left = 1 + s.IntN(size)
		}
		took := float64(left) / rate * s.between(0.9, 1.3)
		for w := range writes {
			s.send(at+took*float64(w)/float64(writes), left/writes)
		}
		at += took + pause*s.between(0.99, 1.03)
	}
}

func dnsTunnel(s *script) {
	period, jitter := s.spread(1, 300), pick(s, 0, 0.1, 0.25)
	name, queries := 40+s.IntN(80), 1+s.IntN(4)
	sleep := s.band(period, jitter)
	at := 0.0
	for range s.length(jitter, period) {
		begun := at
		for range queries {
			s.send(at, name+s.IntN(5))
			if s.chance(0.02) { // the resolver was slow: the stub asks again
				s.send(at+s.between(0.9, 1.1), name)
			}
			at += s.between(0.02, 0.12)
		}
		at = begun + sleep()
	}
}

func longPoll(s *script) {
	hold := pick(s, 20.0, 25, 30, 50, 55, 60, 90, 120, 300)
	early := pick(s, 0, 0.02, 0.1)
	s.repeat(0, s.length(0.1, hold), s.check(), func() float64 {
		if s.chance(early) {
			return hold * s.Float64()
		}
		return hold + s.exponential(0.02)
	})
}
