package simulate

import (
	"time"
)

// Shape is how a live sender behaves.
type Shape uint8

// Beat is an implant: a check-in every interval, with jitter. Once connects, sends, closes and is done: a beacon made of
// short-lived processes is many of them. Chunks is exfiltration: the fixed chunks of one connection. Bursts is a client
// that sends a handful quickly and is silent for a random while. Random is a Poisson sender. Idle keeps a connection open
// and sends nothing but TCP keepalives.
const (
	Beat Shape = iota
	Once
	Chunks
	Bursts
	Random
	Idle
)

// String returns the lower-case name.
func (s Shape) String() string {
	switch s {
	case Beat:
		return "beat"
	case Once:
		return "once"
	case Chunks:
		return "chunks"
	case Bursts:
		return "bursts"
	case Random:
		return "random"
	case Idle:
		return "idle"
	}
	return "unknown"
}

// gaps returns the time from the start of each check-in to the start of the next.
func (c SenderConfig) gaps(s *script) func() time.Duration {
	interval := c.Interval.Seconds()
	var gap func() float64
	switch c.Shape {
	case Bursts:
		left := 0
		gap = func() float64 {
			if left == 0 {
				left = s.count(2, 8)
				return s.exponential(interval)
			}
			left--
			return s.exponential(interval / 40)
		}
	case Random:
		gap = func() float64 { return s.exponential(interval) }
	default:
		gap = s.band(interval, c.Jitter)
	}
	return func() time.Duration { return seconds(gap()) }
}
