package source

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
)

// remembered is how long the end of a connection is remembered, for samplers that learn of it later.
const remembered = 10 * time.Second

// unheard is after how much silence a connection may have ended without our hearing of it.
const unheard = 2 * time.Minute

// traced is what is known of a TCP connection opened since the programs were attached.
type traced struct {
	owner    bpf.Owner
	before   bool          // the opposite: a sampler tells of it, for it was there before the programs
	opened   bool          // its Open is emitted; else only a sampler has seen it
	told     uint64        // payload emitted, by us or by a sampler
	received uint64        // as samplers emitted it
	at       boottime.Time // of the last payload emitted, or of the opening
	ended    boottime.Time // 0 while it lives
}

// Owner returns who opened the TCP connection with that cookie, if the programs saw it; for concurrent use. It is known from
// the handshake until some seconds after the end.
func (e *EBPF) Owner(cookie uint64) (bpf.Owner, bool) {
	e.state.Lock()
	defer e.state.Unlock()
	if c := e.connections[cookie]; c != nil && c.opened {
		return c.owner, true
	}
	return bpf.Owner{}, false
}

// Backfill returns what a TCP sampler is to be run with instead of emit, so that nothing is told twice; several samplers may
// share one EBPF. Connections that were there before the programs pass. Those opened since are left to us, with one
// exception: at Connections the payload a sampler sees of a connection in use passes, with its Sender, and the rest comes at
// the end. The clocks of samplers of what was sent must start at zero with the connection.
func (e *EBPF) Backfill(emit Emit) Emit {
	return func(s send.Send) {
		if s.Socket.Protocol == send.TCP {
			known := e.knows(s.Socket.Cookie) || e.waiting.wait(settleFor, e.interrupt) // our record may be on its way
			if !known || !e.passes(&s) {
				return
			}
		}
		emit(s)
	}
}

// settleFor bounds the wait for the records that are there when a sampler tells of a connection not known yet. On a host so busy
// that it is not enough nothing is told, rather than twice.
const settleFor = 5 * time.Second

func (e *EBPF) knows(cookie uint64) bool {
	e.state.Lock()
	defer e.state.Unlock()
	return e.connections[cookie] != nil
}

func (e *EBPF) passes(s *send.Send) bool {
	e.state.Lock()
	defer e.state.Unlock()
	c := e.connections[s.Socket.Cookie]
	switch {
	case c == nil && (s.Kind != send.Open && s.Kind != send.Failed || s.At < e.attached):
		if len(e.connections) < e.cfg.MaxSockets {
			e.connections[s.Socket.Cookie] = &traced{before: true, ended: ending(s)}
		}
		return true
	case c == nil:
		if len(e.connections) < e.cfg.MaxSockets { // the sampler was faster: our record is on its way
			e.connections[s.Socket.Cookie] = &traced{ended: ending(s)}
		}
		return false
	case !c.opened:
		c.ended = ending(s)
		return c.before
	case c.ended != 0 || s.Kind != send.Data || e.level == EverySend:
		return false
	}
	c.told, c.received, c.at = c.told+s.Bytes, c.received+s.Received, max(c.at, s.At)
	s.Sender = c.owner.PID
	return true
}

// ending returns when s ended its connection, 0 if it did not.
func ending(s *send.Send) boottime.Time {
	if s.Kind == send.Close || s.Kind == send.Failed {
		return s.At
	}
	return 0
}

// own begins to know a connection; false if it was known.
func (e *EBPF) own(b *bpf.Event) bool {
	e.state.Lock()
	defer e.state.Unlock()
	c := e.connections[b.Cookie]
	switch {
	case c == nil && len(e.connections) >= e.cfg.MaxSockets:
		e.counters.Untracked++
		return true
	case c == nil:
		e.connections[b.Cookie] = &traced{owner: b.Owner, opened: true, at: boottime.Time(b.At)}
		return true
	case c.ended != 0 || !c.opened: // or the program connects the same socket again; streams point to what is known of it
		*c = traced{owner: b.Owner, opened: true, at: boottime.Time(b.At)}
		return true
	}
	return false
}

// find returns what is known of a connection, nil if nothing is.
func (e *EBPF) find(cookie uint64) *traced {
	e.state.Lock()
	defer e.state.Unlock()
	return e.connections[cookie]
}

// tell notes payload emitted for a connection.
func (e *EBPF) tell(c *traced, bytes uint64, at boottime.Time) {
	e.state.Lock()
	c.told, c.at = c.told+bytes, max(c.at, at)
	e.state.Unlock()
}

// end notes the end of a connection and returns what was known of it.
func (e *EBPF) end(b *bpf.Event) traced {
	e.state.Lock()
	defer e.state.Unlock()
	c := e.connections[b.Cookie]
	if c == nil {
		return traced{owner: b.Owner}
	}
	before := *c
	c.ended = boottime.Time(b.At)
	return before
}

// sweep forgets connections that ended some time ago, and where records were lost and room is short also those that have long been
// silent: the record of their end may be among these.
func (e *EBPF) sweep(now boottime.Time) {
	e.state.Lock()
	defer e.state.Unlock()
	crowded := len(e.connections) > e.cfg.MaxSockets/8*7
	for cookie, c := range e.connections {
		switch {
		case c.ended != 0 && (crowded || now.Sub(c.ended) > remembered):
			delete(e.connections, cookie)
		case c.ended == 0 && crowded && e.lost > 0 && e.level == EverySend && now.Sub(c.at) > unheard:
			delete(e.connections, cookie)
		}
	}
	e.connections = shrink.Map(e.connections, &e.most)
	e.counters.Sockets = uint64(len(e.connections) + e.live)
}
