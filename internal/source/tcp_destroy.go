package source

import (
	"errors"
	"syscall"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

const (
	// wakeUp is how long the kernel may take to run us after a notice came.
	wakeUp = 1_000_000 // ns
	// maxPending bounds the notices held back while a pass runs; the kernel keeps the rest.
	maxPending = 4096
)

// notice is the last word on a destroyed socket, and when it was said.
type notice struct {
	socket sockdiag.Socket
	at     span
}

// awaitNotices waits for notices until the deadline set and handles them.
func (t *TCP) awaitNotices() error {
	ready, err := t.events.Wait()
	if err != nil {
		return refused("tcp", err)
	}
	if ready {
		now := t.clock.read()
		t.quiet = instant{now: now.now.Add(-wakeUp), tick: now.tick.Add(-wakeUp)}
	}
	return t.handleNotices()
}

// handleNotices handles all notices there are.
func (t *TCP) handleNotices() error {
	for {
		if err := t.collectNotices(); err != nil {
			return err
		}
		if len(t.pending) == 0 {
			return nil
		}
		for i := range t.pending {
			t.destroyed(&t.pending[i].socket, t.pending[i].at)
		}
		t.pending = t.pending[:0]
	}
}

// collectNotices takes the notices there are off the kernel's hands, with the time. They are handled after the pass under
// way: a socket it read before it was destroyed must not look new afterwards.
func (t *TCP) collectNotices() error {
	for len(t.pending) < maxPending {
		t.pending = append(t.pending, notice{})
		n := &t.pending[len(t.pending)-1]
		ok, err := t.events.Next(&n.socket)
		if !ok {
			t.pending = t.pending[:len(t.pending)-1]
		}
		switch {
		case ok:
			n.at = span{from: t.quiet, to: t.clock.read()}
		case err == nil:
			t.quiet = t.clock.read()
			return nil
		case errors.Is(err, sockdiag.ErrOverrun):
			t.counters.Gaps++
			t.counters.Lost = max(t.events.Drops(), t.counters.Lost+1)
			t.full.due = boottime.Now() // what ended unheard is found missing
		default:
			return refused("tcp", err)
		}
	}
	return nil
}

// destroyed takes the last word on a socket.
func (t *TCP) destroyed(s *sockdiag.Socket, at span) {
	c := t.table.get(s.Cookie)
	if c == nil {
		if c = t.unseen(s, at); c == nil {
			return
		}
	} else {
		defer t.table.remove(c.cookie)
	}
	i := &s.Info
	if !c.announced && !established(i) {
		if !c.ended { // whoever was never connected must have been the one to try
			t.finish(c, send.Failed, failure(c, i), at.to.now)
		}
		return
	}
	if t.decide(c, s) != outbound {
		return
	}
	t.announce(c, i, at)
	t.report(c, i, at)
	if !c.ended {
		t.finish(c, send.Close, 0, at.to.now)
	}
}

// unseen returns the connection of a socket that no reading saw; nil if it was none, or one of before our time.
func (t *TCP) unseen(s *sockdiag.Socket, at span) *connection {
	i := &s.Info
	if i.PMTU == 0 || !s.Remote.IsValid() || s.Remote.Addr().IsUnspecified() {
		if i.PMTU != 0 {
			t.counters.NoDestination++
		}
		return nil // never connected
	}
	if _, to := t.clock.ago(at, i.SinceSent); established(i) && to <= t.forgotten {
		return nil
	}
	t.scratch.begin(s, t.since)
	return &t.scratch
}

// established reports whether the connection of a destroyed socket had been established. Something delivered says so, be
// it the SYN; where the counters were cleared (SO_LINGER 0), so does a clock of the last payload that was ever set, for
// that of the last receipt was cleared to the same beginning of time.
func established(i *sockdiag.TCPInfo) bool {
	return i.BytesAcked > 0 || i.Delivered > 0 || i.BytesReceived > 0 || i.BytesSent > 0 ||
		(i.SegsOut == 0 && i.SinceSent != i.SinceReceived)
}

// failure deduces why a connection attempt failed: a segment that came back was a reset; else retransmissions that left
// say that nobody answered, retransmissions that could not leave that there is no way (no ARP answer); else an ICMP error
// ended it, or the program did before the first retransmission. A socket whose counters connect(2) has cleared keeps only
// the number of retransmissions.
func failure(c *connection, i *sockdiag.TCPInfo) syscall.Errno {
	left := max(i.TotalRetrans, c.retrans)
	switch {
	case i.SegsIn > 0:
		return syscall.ECONNREFUSED
	case left > 0:
		return syscall.ETIMEDOUT
	case i.Length > 0 && i.SegsOut == 0 && max(i.Retransmits, c.retransmits) == 0:
		return syscall.ECONNREFUSED
	case i.Length > 0 && i.SegsOut == 0:
		return syscall.ETIMEDOUT
	}
	return syscall.EHOSTUNREACH
}

// miss notes that a pass did not find c, and ends it if the notice that explains this does not come.
func (t *TCP) miss(c *connection, now boottime.Time) {
	switch {
	case c.missed == 0:
		c.missed = now
	case c.ended || now.Sub(c.missed) < destroyDelay:
	case c.direction != outbound:
		c.ended = true
	case c.connecting:
		errno := syscall.ECONNREFUSED
		if c.retransmits > 0 {
			errno = syscall.ETIMEDOUT
		}
		t.finish(c, send.Failed, errno, c.missed)
	default:
		t.finish(c, send.Close, 0, c.missed)
	}
}
