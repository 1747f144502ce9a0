package source

import (
	"net/netip"
	"syscall"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// procKey tells sockets apart in tables without cookies: an inode may be used again, but hardly for the same ends.
type procKey struct {
	inode         uint64
	protocol      send.Protocol
	local, remote netip.AddrPort
}

// procServer is where an unconnected socket waits.
type procServer struct {
	protocol send.Protocol
	port     uint16
}

// procSocket is what is remembered of one socket with a peer.
type procSocket struct {
	socket      send.Socket
	state       sockdiag.State
	retransmits uint32
	pass        uint32
	missed      bool // by the last pass
	inbound     bool
	announced   bool
}

// observe takes one row.
func (p *ProcNet) observe(row *procfs.NetSocket, protocol send.Protocol) {
	state := sockdiag.State(row.State)
	if remote := row.Remote.Addr(); remote.IsUnspecified() {
		switch {
		case protocol == send.TCP && state == sockdiag.Listen:
			p.listeners.add(row.Local, p.pace.start)
		case protocol != send.Raw:
			p.servers[procServer{protocol, row.Local.Port()}] = p.pass
		}
		p.bare++
		return
	}
	if row.Inode == 0 {
		return
	}
	key := procKey{row.Inode, protocol, row.Local, row.Remote}
	s := p.sockets[key]
	if s == nil {
		if len(p.sockets) >= p.cfg.MaxSockets {
			p.counters.Untracked++
			return
		}
		s = &procSocket{socket: p.socket(row, protocol)}
		p.sockets[key] = s
		p.fresh = append(p.fresh, s)
	}
	if s.pass != 0 && s.state == sockdiag.SynSent && state != sockdiag.SynSent && !s.announced {
		p.put(s, send.Open, 0)
	}
	s.state, s.pass, s.missed, s.retransmits = state, p.pass, false, row.Retransmits
}

// sweep opens the sockets the pass met first, now that it has seen all listeners, and ends those it did not find
// twice: the kernel may skip a row while the table changes under the reader.
func (p *ProcNet) sweep() {
	p.listeners.expire(p.pace.start)
	for server, pass := range p.servers {
		if pass != p.pass {
			delete(p.servers, server)
		}
	}
	for _, s := range p.fresh {
		_, served := p.servers[procServer{s.socket.Protocol, s.socket.Local.Port()}]
		s.inbound = s.state != sockdiag.SynSent && (served || p.listeners.has(s.socket.Local))
		switch {
		case s.inbound:
			p.counters.Passive++
		case s.state == sockdiag.SynSent && s.socket.Protocol == send.TCP:
		case p.counters.Samples == 0:
			p.counters.TakenOver++
			s.announced = true
		default:
			p.put(s, send.Open, 0)
		}
	}
	clear(p.fresh)
	p.fresh = p.fresh[:0]
	for key, s := range p.sockets {
		if s.pass == p.pass {
			continue
		}
		switch {
		case !s.missed:
			s.missed = true
			continue
		case s.announced:
			p.put(s, send.Close, 0)
		case s.retransmits > 0:
			p.put(s, send.Failed, syscall.ETIMEDOUT)
		default:
			p.put(s, send.Failed, syscall.ECONNREFUSED)
		}
		delete(p.sockets, key)
	}
	p.counters.Unconnected, p.bare = p.bare, 0
}

// put emits kind for s, which happened since the last pass.
func (p *ProcNet) put(s *procSocket, kind send.Kind, errno syscall.Errno) {
	s.announced = true
	if s.inbound {
		return
	}
	now := boottime.Now()
	p.counters.Events++
	p.emit(send.Send{Socket: s.socket, Kind: kind, At: now, Within: now.Sub(p.rest.since(p.since)), Errno: errno,
		Quality: send.Inferred})
}

// socket turns a row into the words of sends. In the raw tables the local port is the protocol.
func (p *ProcNet) socket(row *procfs.NetSocket, protocol send.Protocol) send.Socket {
	s := send.Socket{Inode: row.Inode, NetNS: p.cfg.NetNSInode, UID: row.UID, Protocol: protocol, Local: row.Local,
		Remote: row.Remote}
	if protocol == send.Raw {
		s.Protocol = send.Protocol(row.Local.Port())
		s.Local = netip.AddrPortFrom(row.Local.Addr(), 0)
	}
	return s
}
