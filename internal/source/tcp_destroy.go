package source

import (
	"errors"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

const (
	// wakeUp is how long the kernel may take to run us after a notice came.
	wakeUp = time.Millisecond
	// maxPending bounds the notices held back while a pass runs; the kernel keeps the rest.
	maxPending = 4096
)

// notice is the last word on a destroyed socket, and when it was said.
type notice struct {
	socket sockdiag.Socket
	at     span
}

// hear sees to it that notices come, or do not where nobody needs them. What ends unheard meanwhile is found missing.
func (t *TCP) hear(want bool) {
	if want == !t.deaf {
		return
	}
	change := t.events.Join
	if !want {
		change = t.events.Leave
	}
	if change() != nil {
		t.counters.Gaps++ // and tried again
		return
	}
	t.deaf = !want
}

// awaitNotices waits for notices until the deadline set and handles them.
func (t *TCP) awaitNotices() error {
	ready, err := t.events.Wait()
	if err != nil {
		return refused("tcp", err)
	}
	if now := t.clock.read(); ready && now.now.Sub(t.quiet.now) > wakeUp {
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
			t.unheard = true
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
		if t.complete() {
			return
		}
		if c = t.unseen(s, at); c == nil {
			return
		}
	} else {
		defer t.table.remove(c.cookie)
		if c.doubtful {
			return
		}
	}
	i := &s.Info
	if !c.announced && !established(i) {
		if !c.ended { // whoever was never connected must have been the one to try
			t.finish(c, send.Send{Kind: send.Failed, Errno: failure(c, i)}, at.to.now)
		}
		return
	}
	if c.direction == undecided && opener(s) == undecided && at.to.now.Sub(t.listeners.refresh) > listenerUrgent {
		if err := t.readListeners(); err != nil {
			t.counters.Gaps++ // the walk over connections meets the same trouble, and judges it
		}
	}
	if t.decide(c, s) != outbound {
		return
	}
	if c == &t.scratch {
		t.tell(c, s, at)
	} else {
		t.announce(c, s, at)
		t.report(c, s, at)
	}
	if !c.ended {
		t.finish(c, send.Send{Kind: send.Close, Received: c.takeReceived(i)}, at.to.now)
	}
}

// tell announces and reports a connection that no reading saw. When it was opened is known to the distance of two passes at best,
// but when it sent often exactly, so that goes first: an open so vague would join the check-in before.
func (t *TCP) tell(c *connection, s *sockdiag.Socket, at span) {
	known := c.known
	t.report(c, s, at)
	c.known, known = known, c.known
	t.announce(c, s, at)
	c.known = known
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
	t.scratch.begin(s, t.rest.since(t.since))
	return &t.scratch
}

// established reports whether the connection of a destroyed socket had been established. Something delivered says so, be
// it the SYN, or a round trip measured; where the counters were cleared (SO_LINGER 0), so does a clock of the last payload that was ever set, for
// that of the last receipt was cleared to the same beginning of time.
func established(i *sockdiag.TCPInfo) bool {
	return i.BytesAcked > 0 || i.Delivered > 0 || i.BytesReceived > 0 || i.RTT > 0 ||
		(i.SegsOut == 0 && i.SinceSent != i.SinceReceived)
}

// failure deduces why a connection attempt failed from the last tcp_info, which is zero if none came, and what was known
// before. A segment that came back was a reset. Else retransmissions that left say that nobody answered, and
// retransmissions that could not leave that there is no way (no ARP answer). An attempt that ended before either was ended
// by an ICMP error or given up. Where the counters are gone (connect(2) clears them before it returns the error, or the
// program holds the socket) only the number of retransmissions is left: none is taken for a reset.
func failure(c *connection, i *sockdiag.TCPInfo) syscall.Errno {
	tries := max(i.Retransmits, c.retransmits)
	switch gone := i.SegsOut == 0; {
	case i.SegsIn > 0, gone && tries == 0:
		return syscall.ECONNREFUSED
	case i.TotalRetrans > 0, c.retrans > 0, gone:
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
		t.finish(c, send.Send{Kind: send.Failed, Errno: failure(c, &sockdiag.TCPInfo{})}, c.missed)
	default:
		t.finish(c, send.Send{Kind: send.Close}, c.missed)
	}
}
