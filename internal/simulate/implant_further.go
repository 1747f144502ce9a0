package simulate

import (
	"math"
	"time"
)

// furtherImplants are rhythms written down after the first weights had been chosen.
func furtherImplants() []Class {
	return []Class{
		{Name: "dns-beacon", About: "one look-up per check-in under a random label; a tasked one fetches its task in a run of look-ups", draw: dnsBeacon},
		{Name: "rat-keepalive", About: "a RAT: ping every 10 to 15 s by lot, window titles while the user works", draw: ratKeepalive},
		{Name: "skewed-sleep", About: "T (1 + J·β), β from a beta distribution leaning to 0", draw: skewedSleep},
		{Name: "wandering-sleep", About: "each sleep a few percent longer or shorter than the last, within half to twice T", draw: wanderingSleep},
		{Name: "day-and-night", About: "one sleep by day, several times as long by night", draw: dayAndNight},
		{Name: "interactive-switch", About: "the operator turns the sleep down to a second or two for a while, then up again", draw: interactiveSwitch},
		{Name: "held-poll", About: "the server holds each request for a time of its own choice, the implant pauses a little between two", draw: heldPoll},
		{Name: "dead-drop", About: "an implant reads a page every T that its host's user browses, too", draw: deadDrop},
		{Name: "retrying-beacon", About: "a check-in that fails is tried twice more after a few seconds; the next one comes when it would", draw: retryingBeacon},
		{Name: "peer-list", About: "a bot asks its whole peer list in a new order each round: one peer sees one request a round, somewhere in the first half", draw: peerList},
		{Name: "scheduled-exfiltration", About: "a batch at the same hour each day, chunk by chunk", draw: scheduledExfiltration},
		{Name: "proxied-beacon", About: "check-ins through a proxy that queues some of them: late now and then, the schedule kept", draw: proxiedBeacon},
		{Name: "cron-with-random-delay", About: "sleep $((RANDOM % n)) before each run: anywhere in the first part of the period", draw: cronRandomDelay},
		{Name: "fallback-channel", About: "one of two channels: runs of check-ins here, then none for as long", draw: fallbackChannel},
		{Name: "mailbox-c2", About: "reads a mailbox for orders: log in, list, fetch, log out", draw: mailboxC2},
		{Name: "rate-limited-api", About: "polls a public service that now and then makes it wait, renews its token each hour", draw: rateLimitedAPI},
		{Name: "hastening", About: "each sleep a little shorter than the last, down to a floor", draw: hastening},
		{Name: "seconds-only", About: "any plain beacon in a log that knows whole seconds", draw: secondsOnly},
		{Name: "dns-exfiltration", About: "a file in look-ups of full length, one every second or few", draw: dnsExfiltration},
		{Name: "weekdays-only", About: "fixed check-ins from power-on to power-off, five days a week", draw: weekdaysOnly},
	}
}

func dnsBeacon(s *script) {
	period, jitter := s.spread(5, 900), pick(s, 0, 0.1, 0.2, 0.37)
	zone, tasking := 18+s.IntN(30), pick(s, 0, 0.01, 0.04)
	sleep := func() float64 { return period * (1 - jitter*s.Float64()) }
	at := 0.0
	for range s.length(jitter/(2-jitter), period) {
		s.send(at, zone+8+s.IntN(3))
		if s.chance(tasking) {
			for range s.count(3, 60) {
				at += s.between(0.02, 0.25)
				s.send(at, zone+30+s.IntN(4))
			}
		}
		at += sleep()
	}
}

func ratKeepalive(s *script) {
	lo := pick(s, 5.0, 10, 10, 20, 30)
	hi := lo * pick(s, 1.0, 1.5, 1.5, 2)
	ping, title := int(s.spread(20, 200)), int(s.spread(80, 400))
	end := s.spread(1200, 6*3600)
	for at := 0.0; at < end; at += s.between(lo, hi) + 0.05 {
		s.send(at, ping+s.IntN(2))
	}
	for at := s.exponential(1800); at < end; at += s.exponential(1800) {
		for range s.count(2, 30) { // the user has come back to the keyboard
			s.send(at, int(s.lognormal(float64(title), 0.15)))
			at += s.lognormal(15, 1.2)
		}
	}
}

func skewedSleep(s *script) {
	period, jitter := s.period(), pick(s, 0.2, 0.5, 1)
	a, b := 1.5, s.between(2.5, 6)
	s.repeat(0, s.length(jitter/3, period), s.web(), func() float64 {
		x, y := s.gamma(a, a), s.gamma(b, b)
		return period * (1 + jitter*x/(x+y))
	})
}

func wanderingSleep(s *script) {
	period, step := s.period(), s.between(0.01, 0.06)
	sleep := period
	s.repeat(0, s.length(0.3, period), s.web(), func() float64 {
		sleep = min(max(sleep*s.lognormal(1, step), period/2), period*2)
		return sleep
	})
}

func dayAndNight(s *script) {
	day, jitter := s.spread(30, 900), pick(s, 0, 0.1, 0.2)
	night := day * s.between(2, 6)
	dawn, dusk := s.between(6, 9)*3600, s.between(17, 21)*3600
	p := s.web()
	at := s.between(dawn, dusk)
	end := at + s.between(1, 4)*86400
	for at < end {
		sleep := day
		if clock := math.Mod(at, 86400); clock < dawn || clock > dusk {
			sleep = night
		}
		at += s.checkIn(at, p) + sleep*s.between(1-jitter, 1+jitter)
	}
	s.rebase()
}

func interactiveSwitch(s *script) {
	dormant, awake, jitter := s.spread(30, 900), s.between(1, 3), pick(s, 0, 0.1, 0.2)
	p := s.web()
	p.tasking = 0
	at := 0.0
	for range 2 + s.IntN(4) {
		at = s.repeat(at, s.count(10, 120), p, s.band(dormant, jitter))
		busy := p
		busy.tasking = 0.1
		at = s.repeat(at, s.count(10, 100), busy, s.band(awake, jitter))
	}
	s.repeat(at, s.count(10, 120), p, s.band(dormant, jitter))
}

func heldPoll(s *script) {
	hold, spread := s.spread(15, 180), s.between(0.05, 0.3)
	pause := pick(s, 0.1, 1, 3, 5)
	s.repeat(0, s.length(spread, hold), s.web(), func() float64 {
		return hold*s.between(1-spread, 1+spread) + pause*s.between(0.8, 1.2)
	})
}

func deadDrop(s *script) {
	period, jitter := s.spread(60, 1800), pick(s, 0, 0.1, 0.2)
	p := payload{size: int(s.spread(180, 500)), vary: pick(s, 0, 4), round: 0.1}
	end := s.repeat(0, s.count(40, 400), p, s.band(period, jitter))
	rare := period * s.spread(5, 40)
	for at := s.exponential(rare); at < end; at += s.exponential(rare) {
		for range s.count(1, 6) {
			for range s.count(2, 20) {
				s.send(at, int(s.lognormal(650, 0.5)))
				at += s.exponential(0.2)
			}
			at += s.lognormal(25, 1)
		}
	}
}

func retryingBeacon(s *script) {
	period, jitter, fails := s.spread(30, 1800), pick(s, 0, 0.05, 0.2), s.between(0.05, 0.4)
	again := pick(s, 2.0, 3, 5, 10)
	p, sleep := s.check(), s.band(period, jitter)
	at := 0.0
	for range s.length(jitter, period) {
		s.checkIn(at, p)
		for retry := 1.0; retry <= 2 && s.chance(fails); retry++ {
			s.checkIn(at+retry*again, p)
		}
		at += sleep()
	}
}

func peerList(s *script) {
	round, peers := s.spread(60, 3600), 8+s.IntN(40)
	p := s.check()
	p.tasking = 0
	lost := s.between(0, 0.15)
	for i := range s.count(40, 600) {
		if !s.chance(lost) {
			place := float64(s.IntN(peers)) / float64(peers)
			s.checkIn(round*(float64(i)+place*0.5)+s.between(0, 0.2), p)
		}
	}
}

func scheduledExfiltration(s *script) {
	every := pick(s, 6.0, 12, 24, 24) * 3600
	size, pause := int(s.spread(4096, 1<<20)), s.spread(1, 30)
	late := s.between(0, 300)
	for i := range s.count(10, 30) {
		at := float64(i)*every + late*s.Float64()
		for range s.count(5, 60) {
			s.send(at, size)
			at += pause * s.between(0.95, 1.1)
		}
	}
}

func proxiedBeacon(s *script) {
	period, jitter := s.spread(10, 900), pick(s, 0, 0.1, 0.2)
	queued, wait := s.between(0.05, 0.3), period*s.between(0.1, 0.5)
	p, sleep := s.web(), s.band(period, jitter)
	at := 0.0
	for range s.length(max(jitter, 0.2), period) {
		late := 0.0
		if s.chance(queued) {
			late = min(s.exponential(wait), 0.9*period)
		}
		s.checkIn(at+late, p)
		at += sleep()
	}
}

func cronRandomDelay(s *script) {
	every, spread := pick(s, 5.0, 10, 15, 30, 60)*60, s.between(0.1, 0.6)
	p := s.web()
	for i := range s.length(max(spread, 0.21), every) {
		s.checkIn(float64(i)*every+math.Floor(spread*every*s.Float64())+s.between(0.05, 0.5), p)
	}
}

func fallbackChannel(s *script) {
	period, jitter := s.spread(10, 600), pick(s, 0, 0.1, 0.2, 0.3)
	p, sleep := s.web(), s.band(period, jitter)
	at := 0.0
	for range s.count(3, 20) {
		at = s.repeat(at, s.count(8, 60), p, sleep)
		at += period * s.spread(8, 60)
	}
}

func mailboxC2(s *script) {
	period, jitter := s.spread(60, 1800), pick(s, 0, 0.05, 0.1, 0.2)
	sleep, login := s.band(period, jitter), 20+s.IntN(40)
	at := 0.0
	for range s.length(jitter, period) {
		begun := at
		for _, size := range []int{517, 90 + login, 38, 42 + s.IntN(3), 31} {
			s.send(at, size)
			at += s.lognormal(0.12, 0.5)
		}
		if s.chance(0.03) {
			s.send(at, int(s.lognormal(5000, 1)))
		}
		at = max(begun+sleep(), at+1)
	}
}

func rateLimitedAPI(s *script) {
	period, jitter, wait := s.spread(10, 300), pick(s, 0, 0.1, 0.2), pick(s, 30.0, 60, 120)
	p, sleep := s.web(), s.band(period, jitter)
	p.tasking = 0
	at, renewed := 0.0, 0.0
	for range 2 * s.length(jitter, period) {
		at += s.checkIn(at, p)
		if at-renewed > 3600 {
			s.send(at, 1200)
			renewed = at
		}
		at += sleep()
		if s.chance(0.05) {
			at += wait
		}
	}
}

func hastening(s *script) {
	sleep, floor := s.spread(300, 1800), s.spread(5, 60)
	shrink, jitter := s.between(0.96, 0.995), pick(s, 0, 0.05, 0.1)
	p := s.web()
	at := 0.0
	for range s.count(60, 800) {
		at += s.checkIn(at, p) + sleep*s.between(1-jitter, 1+jitter)
		sleep = max(sleep*shrink, floor)
	}
}

func secondsOnly(s *script) {
	period, jitter := s.spread(12, 3600), pick(s, 0, 0.1, 0.2, 0.3)
	s.grid = time.Second
	s.repeat(0, s.length(jitter, period), s.check(), s.band(period, jitter))
}

func dnsExfiltration(s *script) {
	pause, jitter := s.spread(1, 10), pick(s, 0, 0.05, 0.2)
	size := 180 + s.IntN(60)
	s.renew(pause, func() int { return size + s.IntN(2) }, s.band(pause, jitter))
}

func weekdaysOnly(s *script) {
	period, jitter := s.spread(60, 1800), pick(s, 0, 0.1, 0.2)
	p, sleep := s.web(), s.band(period, jitter)
	for day := range 3 + s.IntN(10) {
		if day%7 >= 5 {
			continue
		}
		off := float64(day)*86400 + s.between(15, 18)*3600
		for at := float64(day)*86400 + s.between(7, 10)*3600; at < off; {
			at += s.checkIn(at, p) + sleep()
		}
	}
	s.rebase()
}
