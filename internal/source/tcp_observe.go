package source

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// decideAfter is after how many readings with payload in flight the listeners alone decide who opened a connection.
const decideAfter = 8

// observe takes one reading of a living socket, made within at.
func (t *TCP) observe(s *sockdiag.Socket, at span) {
	if s.Info.Length == 0 && s.State != sockdiag.NewSynReceived && s.State != sockdiag.SynReceived {
		return // what waits for the last FIN in the place of a socket already destroyed (inet_twsk_diag_fill)
	}
	c := t.table.get(s.Cookie)
	switch {
	case c == nil:
		if c = t.adopt(s, at); c == nil {
			return
		}
	case c.doubtful:
		if !t.unclaimed(c) {
			return
		}
	case c.remote != s.Remote || c.local != s.Local || (c.ended && s.State == sockdiag.SynSent) ||
		s.Info.Sent() < c.counter:
		t.restart(c, s) // the program connected the same socket anew
	}
	c.pass, c.missed, c.counter = t.pass, 0, s.Info.Sent()
	if s.Inode != 0 {
		c.inode, c.uid = s.Inode, s.UID
	}
	undecidedYet := c.direction == undecided
	switch t.decide(c, s) {
	case inbound:
		if undecidedYet {
			t.inbound++
		}
		return
	case undecided:
		return
	}
	if s.State == sockdiag.SynSent {
		if !c.connecting && t.cfg.Meet != nil {
			t.paying.aside(func() { t.cfg.Meet(c.socket(t.cfg.NetNSInode)) })
		}
		c.connecting, c.retransmits, c.retrans, c.known = true, s.Info.Retransmits, s.Info.TotalRetrans, at.from.now
		return
	}
	t.announce(c, s, at)
	t.report(c, s, at)
}

// adopt begins to track a socket; nil if there is no room. In the first pass what it sent so far is history.
func (t *TCP) adopt(s *sockdiag.Socket, at span) *connection {
	if t.cfg.TakenOver && t.told(s.Cookie) {
		return t.overtake(s, at)
	}
	if t.complete() {
		return t.doubt(s)
	}
	if t.inbound >= t.cfg.MaxSockets/2 && opener(s) == inbound {
		return nil // nothing is lost: what is inbound can be told again from its counters
	}
	c := t.table.add(s.Cookie)
	if c == nil {
		t.counters.Untracked++
		t.forgotten = boottime.Now()
		return nil
	}
	c.begin(s, t.rest.since(t.since))
	c.active = at.to.now
	if t.counters.Samples == 0 && s.State != sockdiag.SynSent {
		t.counters.TakenOver++
		c.announced = true
		c.sent, c.received = c.payload(s), s.Info.BytesReceived
		c.segments, c.retrans = s.Info.DataSegsOut, s.Info.TotalRetrans
		c.known = t.full.start
		_, c.active = t.clock.ago(at, s.Info.SinceSent)
	}
	return c
}

// begin fills c with the addresses of s; known is an instant at which the connection did not exist.
func (c *connection) begin(s *sockdiag.Socket, known boottime.Time) {
	*c = connection{cookie: s.Cookie, local: s.Local, remote: s.Remote, netif: s.Interface, inode: s.Inode,
		uid: s.UID, known: known}
	if s.Inode == 0 {
		c.uid = send.UnknownUID
	}
}

// restart begins a further connection on the socket of c.
func (t *TCP) restart(c *connection, s *sockdiag.Socket) {
	switch {
	case c.ended || c.direction != outbound:
	case c.connecting:
		t.finish(c, send.Send{Kind: send.Failed, Errno: failure(c, &sockdiag.TCPInfo{})}, boottime.Now())
	default:
		t.finish(c, send.Send{Kind: send.Close}, boottime.Now())
	}
	c.begin(s, c.known)
}

// decide returns who opened the connection, from s unless it is known.
func (t *TCP) decide(c *connection, s *sockdiag.Socket) direction {
	if c.direction != undecided {
		return c.direction
	}
	c.direction = opener(s)
	if c.direction == undecided {
		c.tries++
		switch {
		case !t.listeners.has(s.Local):
			c.direction = outbound
		case c.tries >= decideAfter || s.State == sockdiag.Closed:
			c.direction = inbound
		}
	}
	if c.direction == inbound {
		t.counters.Passive++
	}
	return c.direction
}

// announce emits the Open of a connection found established. Until it has sent, the kernel's clock of the last payload
// runs from the end of the handshake.
func (t *TCP) announce(c *connection, s *sockdiag.Socket, at span) {
	if c.announced {
		return
	}
	c.announced, c.connecting = true, false
	from, to := t.clock.ago(at, s.Info.SinceSent)
	quality := send.Jiffy
	switch {
	case s.Info.DataSegsOut > 0:
		from, quality = c.known, send.Aggregated
	case s.Info.SegsOut == 0: // cleared: it is the clock of the last payload after all
		from, quality = c.known, send.Inferred
	}
	t.put(send.Send{Socket: c.socket(t.cfg.NetNSInode), Kind: send.Open, Quality: quality}, max(from, c.known), to)
}

// report emits what the connection sent since its last reading, if anything.
func (t *TCP) report(c *connection, s *sockdiag.Socket, at span) {
	i := &s.Info
	retransmitted := i.TotalRetrans != c.retrans
	segments := i.DataSegsOut - c.segments - (i.TotalRetrans - c.retrans)
	if sent := c.payload(s); sent > c.sent {
		bytes := sent - c.sent
		from, to := t.clock.ago(at, i.SinceSent)
		data := send.Send{Socket: c.socket(t.cfg.NetNSInode), Kind: send.Data, Bytes: bytes, Received: c.takeReceived(i),
			Quality: send.Jiffy, Sends: 1}
		// more segments than the payload needs, or than one flight can carry, are several sends
		needed := 1 + uint32((bytes-1)/uint64(max(i.SendMSS, 1)))
		if segments > needed && segments < 1<<31 {
			data.Sends = 1 + segments - needed
		}
		if data.Sends > 1 || segments > i.SendWindow || retransmitted {
			data.Quality, from = send.Aggregated, c.known
		}
		t.put(data, max(from, c.known), to)
		c.sent, c.active = sent, to
	}
	c.segments, c.retrans, c.known = i.DataSegsOut, i.TotalRetrans, at.from.now
}

// takeReceived returns what the connection received since this was last asked.
func (c *connection) takeReceived(i *sockdiag.TCPInfo) uint64 {
	received := i.BytesReceived - min(c.received, i.BytesReceived)
	c.received += received
	return received
}

// payload returns what the connection, opened from here, sent so far. The kernel counts a segment as sent before it
// tries to send it (__tcp_transmit_skb), so one that does not leave, for lack of a route or by a full queue, is counted at
// every try, and not as retransmitted. With nothing in flight all that left is acknowledged, which tells how much did not.
//
// Kernels before 4.19 only count what was acknowledged, SYN and FIN among it.
func (c *connection) payload(s *sockdiag.Socket) uint64 {
	i := &s.Info
	sent, bare := i.Sent(), i.BytesAcked-min(i.BytesAcked, 1)
	if s.State == sockdiag.FinWait2 || (s.State == sockdiag.Closed && !i.CountsSent()) {
		bare -= min(bare, 1)
	}
	if !i.CountsSent() {
		return bare
	}
	if i.Unacked == 0 && s.State != sockdiag.Closed && sent > bare {
		c.unsent = max(c.unsent, sent-bare)
	}
	return sent - min(c.unsent, sent)
}

// put completes s with its time, between from and to, and emits it.
func (t *TCP) put(s send.Send, from, to boottime.Time) {
	if to <= from { // the bounds cross by less than their own errors
		from = to.Add(-t.clock.jiffy)
	}
	s.At, s.Within = to, to.Sub(from)
	t.counters.Events++
	t.counters.Bytes += s.Bytes
	if s.Kind == send.Open {
		t.paying.aside(func() { t.emit(s) })
		return
	}
	t.emit(s)
}

// finish emits end, the end of a connection, at an instant known to the distance of two readings.
func (t *TCP) finish(c *connection, end send.Send, at boottime.Time) {
	c.ended = true
	end.Socket, end.Quality = c.socket(t.cfg.NetNSInode), send.Inferred
	t.put(end, min(c.known, at.Add(-time.Nanosecond)), at)
}
