package source

import (
	"errors"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// observe takes one reading of a living socket.
func (u *UDPDiag) observe(s *sockdiag.Socket) {
	if !connected(s) {
		u.servers[s.Local.Port()] = u.pass
		u.bare++
		return
	}
	p := u.sockets[s.Cookie]
	switch {
	case p == nil:
		if len(u.sockets) >= u.cfg.MaxSockets {
			u.counters.Untracked++
			return
		}
		p = &peer{}
		u.sockets[s.Cookie] = p
	case p.socket.Remote == s.Remote:
		p.pass, p.missed = u.pass, false
		return
	default: // connected to another peer
		u.put(p, send.Close)
	}
	*p = peer{socket: u.socket(s), pass: u.pass}
	u.fresh = append(u.fresh, p)
}

// sweep opens the connections the pass met first, now that it has seen all servers, and closes those it did not
// find twice, which gives the notice of their end the time to come first.
func (u *UDPDiag) sweep() {
	for port, pass := range u.servers {
		if pass != u.pass {
			delete(u.servers, port)
		}
	}
	for _, p := range u.fresh {
		if u.counters.Samples == 0 {
			u.counters.TakenOver++
		}
		if _, p.inbound = u.servers[p.socket.Local.Port()]; p.inbound {
			u.counters.Passive++
		} else if u.counters.Samples > 0 {
			u.put(p, send.Open)
		}
	}
	clear(u.fresh)
	u.fresh = u.fresh[:0]
	for cookie, p := range u.sockets {
		switch {
		case p.pass == u.pass:
		case !p.missed:
			p.missed = true
		default:
			u.put(p, send.Close)
			delete(u.sockets, cookie)
		}
	}
	u.counters.Unconnected, u.bare = u.bare, 0
}

// handleNotices takes the last word on sockets closed since the last call.
func (u *UDPDiag) handleNotices() error {
	var s sockdiag.Socket
	for {
		ok, err := u.events.Next(&s)
		switch {
		case ok:
			u.destroyed(&s)
		case err == nil:
			return nil
		case errors.Is(err, sockdiag.ErrOverrun):
			u.counters.Gaps++
			u.counters.Lost = max(u.events.Drops(), u.counters.Lost+1)
		default:
			return refused("udp", err)
		}
	}
}

func (u *UDPDiag) destroyed(s *sockdiag.Socket) {
	p := u.sockets[s.Cookie]
	if p == nil {
		if !connected(s) || u.counters.Samples == 0 {
			return
		}
		p = &peer{socket: u.socket(s)}
		if _, p.inbound = u.servers[s.Local.Port()]; p.inbound {
			u.counters.Passive++
		}
		u.put(p, send.Open)
	}
	u.put(p, send.Close)
	delete(u.sockets, s.Cookie)
}

// put emits kind for p, which happened since the last pass.
func (u *UDPDiag) put(p *peer, kind send.Kind) {
	if p.inbound {
		return
	}
	now := boottime.Now()
	u.counters.Events++
	u.emit(send.Send{Socket: p.socket, Kind: kind, At: now, Within: now.Sub(u.rest.since(u.since)), Quality: send.Inferred})
}

func (u *UDPDiag) socket(s *sockdiag.Socket) send.Socket {
	to := send.Socket{Cookie: s.Cookie, Inode: uint64(s.Inode), NetNS: u.cfg.NetNSInode, UID: s.UID,
		Protocol: send.UDP, Local: s.Local, Remote: s.Remote}
	if s.Inode == 0 {
		to.UID = send.UnknownUID
	}
	return to
}

func connected(s *sockdiag.Socket) bool {
	return s.Remote.Port() != 0 && s.Remote.IsValid() && !s.Remote.Addr().IsUnspecified()
}

// note publishes the present state.
func (u *UDPDiag) note() {
	u.pacing(&u.pace)
	u.counters.Sockets = uint64(len(u.sockets))
	u.counters.Malformed = u.conn.Malformed() + u.events.Malformed()
	u.publish()
}

func (u *UDPDiag) close() {
	_ = u.conn.Close()
	_ = u.events.Close()
}
