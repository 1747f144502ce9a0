package simulate

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// maxSends bounds one flow: days of the fastest sender fit, a runaway parameter does not.
	maxSends = 20_000
	// longest is about the longest observation drawn; only the low-and-slow class asks for weeks.
	longest = 7 * 86400.0
)

// script is a flow being written: seconds from the start of the observation, in any order. It carries the random source
// of the flow, so that every draw of a class comes from one seed.
type script struct {
	*rand.Rand
	window float64       // 0 = ends shortly after the last send
	grid   time.Duration // resolution of the source; 0 = drawn
	sends  []moment
}

type moment struct {
	at    float64
	bytes int
	peer  uint16
}

// send writes one send; beyond the bound it is dropped. Implementations never send an empty payload, so bytes is at
// least 1.
func (s *script) send(at float64, bytes int) {
	if len(s.sends) < maxSends && at >= 0 {
		s.sends = append(s.sends, moment{at: at, bytes: max(bytes, 1)})
	}
}

// finish turns the script into a flow as a sensor would have recorded it: sorted, cut to the window, on the clock of the
// source.
func (s *script) finish() Flow {
	slices.SortStableFunc(s.sends, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	if len(s.sends) == 0 {
		return Flow{Window: seconds(s.window), Resolution: time.Millisecond}
	}
	last := s.sends[len(s.sends)-1].at
	if s.window == 0 {
		s.window = last * (1 + 0.02*s.Float64())
	}
	clock := s.grid
	if clock == 0 {
		clock = s.clock(s.window / float64(len(s.sends)))
	}
	f := Flow{Window: max(seconds(s.window), clock), Resolution: clock}
	several := slices.ContainsFunc(s.sends, func(m moment) bool { return m.peer != 0 })
	for _, m := range s.sends {
		at := seconds(m.at).Truncate(clock)
		if at > f.Window {
			break
		}
		f.At = append(f.At, at)
		f.Bytes = append(f.Bytes, uint64(m.bytes))
		if several {
			f.Peer = append(f.Peer, m.peer)
		}
	}
	return f
}

// clock draws the resolution of the source: most know milliseconds, a sampler knows a jiffy or its own period, some logs
// only whole seconds. A clock too coarse for the flow is not drawn: nothing could be said about it.
func (s *script) clock(meanGap float64) time.Duration {
	clock := time.Millisecond
	switch u := s.Float64(); {
	case u < 0.10:
		clock = time.Second
	case u < 0.20:
		clock = 100 * time.Millisecond
	case u < 0.40:
		clock = 4 * time.Millisecond
	}
	if meanGap < 10*clock.Seconds() {
		return time.Millisecond
	}
	return clock
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
