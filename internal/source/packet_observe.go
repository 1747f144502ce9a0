package source

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// ownersFor is how long a reading of the UDP sockets may serve: a pair that is new may have a socket that is.
const ownersFor = 5 * time.Millisecond

// pairKey is the two ends of datagrams, seen from here.
type pairKey struct {
	local, remote netip.AddrPort
}

// pair is what is remembered of one.
type pair struct {
	socket   send.Socket
	inbound  bool
	inferred bool
	passed   bool // forwarded for others
	told     bool // its Open is emitted
	bytes    uint64
	sends    uint32
	from, at boottime.Time // the first datagram not yet reported, and the last
}

// datagram takes one. It passed after the queue was last seen empty, whatever became of the clock since.
func (p *Packet) datagram(one *packet.Packet) {
	at := max(boottime.Time(one.At), p.quiet)
	key := pairKey{one.Local, one.Remote}
	c := p.pairs[key]
	if c == nil {
		if len(p.pairs) >= p.cfg.MaxPairs {
			p.counters.Untracked++
			return
		}
		c = p.meet(one, at)
		p.pairs[key] = c
	}
	c.at = max(c.at, at)
	if !one.Outgoing || c.inbound || c.passed {
		return
	}
	if c.sends == 0 {
		c.from = at
		p.pending = append(p.pending, c)
	}
	c.bytes, c.sends = c.bytes+uint64(one.Size), c.sends+1
}

// meet begins to know a pair by its first datagram.
func (p *Packet) meet(one *packet.Packet, now boottime.Time) *pair {
	c := &pair{inbound: !one.Outgoing, inferred: now.Sub(p.started) < p.cfg.Idle}
	if c.inbound {
		p.counters.Passive++
		return c
	}
	c.socket = send.Socket{NetNS: p.cfg.NetNSInode, UID: send.UnknownUID, Protocol: send.UDP, Local: one.Local,
		Remote: one.Remote}
	if owner := p.owner(one.Local, one.Remote, now); owner != nil {
		c.socket.Cookie, c.socket.Inode = owner.Cookie, uint64(owner.Inode)
		if owner.Inode != 0 {
			c.socket.UID = owner.UID
			if p.cfg.Meet != nil {
				p.reading.aside(func() { p.cfg.Meet(c.socket) })
			}
		}
	} else if p.cfg.Forwards {
		c.passed = true
		p.counters.Unconnected++
	}
	return c
}

// owner returns the UDP socket a datagram came from: one connected to its peer before one that is not.
func (p *Packet) owner(local, remote netip.AddrPort, now boottime.Time) *sockdiag.Socket {
	if p.diag == nil {
		return nil
	}
	if now.Sub(p.read) > ownersFor {
		p.readOwners()
		p.read = boottime.Now()
	}
	var open *sockdiag.Socket
	for i := range p.owners[local.Port()] {
		s := &p.owners[local.Port()][i]
		switch at := s.Local.Addr(); {
		case at != local.Addr() && !at.IsUnspecified():
		case s.Remote == remote:
			return s
		case !connected(s):
			open = s
		}
	}
	return open
}

// readOwners reads all UDP sockets. If that fails, owners stay unknown for now.
func (p *Packet) readOwners() {
	clear(p.owners)
	var s sockdiag.Socket
	for _, family := range [...]uint8{unix.AF_INET, unix.AF_INET6} {
		dump, err := p.diag.DumpUDP(family, sockdiag.UDPSockets)
		if err != nil {
			p.counters.Gaps++
			return
		}
		for dump.Receive() {
			for dump.Next(&s) {
				p.owners[s.Local.Port()] = append(p.owners[s.Local.Port()], s)
			}
		}
		if dump.Err() != nil {
			p.counters.Gaps++
		}
	}
}

// flush reports what was folded.
func (p *Packet) flush(now boottime.Time) {
	p.flushed = now
	for _, c := range p.pending {
		quality := send.Exact
		switch {
		case c.inferred:
			quality = send.Inferred
		case c.sends > 1:
			quality = send.Aggregated
		}
		if !c.told {
			c.told = true
			p.put(c, send.Send{Kind: send.Open, Quality: quality})
		}
		p.put(c, send.Send{Kind: send.Data, Bytes: c.bytes, Sends: c.sends, Quality: quality})
		c.bytes, c.sends = 0, 0
	}
	clear(p.pending)
	p.pending = p.pending[:0]
}

// sweep ends pairs that were idle for long.
func (p *Packet) sweep(now boottime.Time) {
	for key, c := range p.pairs {
		if now.Sub(c.at) > p.cfg.Idle {
			if c.told {
				c.from = c.at
				p.put(c, send.Send{Kind: send.Close, Quality: send.Inferred})
			}
			delete(p.pairs, key)
		}
	}
}

// put completes s with the socket and the time of c, and emits it.
func (p *Packet) put(c *pair, s send.Send) {
	s.Socket, s.At = c.socket, c.at
	if c.from < c.at {
		s.Within = c.at.Sub(c.from) + 1 // the first was at from, not after it
	}
	p.counters.Events++
	p.counters.Bytes += s.Bytes
	p.emit(s)
}
