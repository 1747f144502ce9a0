package history

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

const (
	// silence cuts micro-bursts: the writes of one request follow each other within it, a chunked exfiltration of 200 ms
	// does not.
	silence = 50 * time.Millisecond
	// handshake is how long after a bare connect its first bytes still belong to it (TLS over a slow link).
	handshake = time.Second
)

// series is a ring with its newest burst still open: kept unpacked, so that a burst grows exactly until it is cut.
type series struct {
	ring
	open   Burst
	isOpen bool
	bursts uint64 // ever begun
}

// add records one send and returns by how many bytes the ring grew, and whether a new burst began.
func (s *series) add(b Burst, limit int) (grown int, began bool) {
	if s.silence == 0 {
		s.silence = silence
	}
	if s.isOpen && s.joins(b) {
		if b.At < s.open.At {
			s.open.At, s.open.Within = b.At, b.Within
		}
		s.open = s.open.merge(b)
		return 0, false
	}
	s.bursts++
	switch {
	case !s.isOpen:
		s.open, s.isOpen = b, true
	case b.At < s.open.At:
		grown = s.push(pack(b), limit)
	default:
		grown = s.push(pack(s.open), limit)
		s.open = b
	}
	return grown, true
}

// joins reports whether b continues the open burst: no silence since the last send longer than the cut, or than what the
// source can tell apart. A bare connect is joined by its first payload.
func (s *series) joins(b Burst) bool {
	cut := max(s.silence, min(b.Within, maxSilence))
	if s.open.Bytes == 0 && !s.open.Failed && !b.Failed && s.open.Quality != send.Inferred {
		cut = max(cut, handshake)
	}
	if b.Failed != s.open.Failed && s.open.Bytes+b.Bytes == 0 {
		return false // a refused attempt and the next one that succeeds are two events
	}
	return b.At.Sub(s.open.Last) <= cut && s.open.At.Sub(b.At) <= cut
}

// len is the number of bursts held, the open one included.
func (s *series) len() int {
	if s.isOpen {
		return s.n + 1
	}
	return s.n
}

// appendTo appends all bursts to dst, oldest first, the open one last.
func (s *series) appendTo(dst []Burst) []Burst {
	dst = s.ring.appendTo(dst)
	if s.isOpen {
		dst = append(dst, s.open)
	}
	return dst
}

// copyFrom makes s hold what o holds, and returns the bytes it took.
func (s *series) copyFrom(o *series) int {
	*s = *o
	s.slots = append([]packed(nil), o.slots...)
	return len(s.slots) * 16
}

func burstOf(sd *send.Send) Burst {
	return Burst{At: sd.At, Last: sd.At, Within: max(sd.Within, 0), Bytes: sd.Bytes, Sends: max(sd.Sends, 1),
		Quality: sd.Quality, Failed: sd.Kind == send.Failed}
}
