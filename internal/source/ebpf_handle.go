package source

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// handle turns one record into sends.
func (e *EBPF) handle(b *bpf.Event) {
	switch b.Kind {
	case bpf.Opened:
		e.opened(b)
	case bpf.Closed:
		e.closed(b)
	default:
		e.sent(b)
	}
}

func (e *EBPF) opened(b *bpf.Event) {
	if !e.own(b) {
		return
	}
	e.put(b, send.Send{Kind: send.Open, At: boottime.Time(b.At)})
}

// closed takes the last word on a connection: what the opener sent and no record told yet, then its end.
func (e *EBPF) closed(b *bpf.Event) {
	at := boottime.Time(b.At)
	if !b.Connected {
		errno := b.Errno
		switch {
		case errno != 0:
		case b.Retransmits > 0: // the program gave up waiting
			errno = syscall.ETIMEDOUT
		default:
			errno = syscall.ECANCELED
		}
		e.end(b)
		e.put(b, send.Send{Kind: send.Failed, At: at, Errno: errno})
		return
	}
	if e.own(b) { // the record of its opening was lost
		e.put(b, send.Send{Kind: send.Open, At: at, Within: at.Sub(boottime.Time(b.ConnectAt)), Quality: send.Aggregated})
	}
	if b.Sends > 0 {
		e.report(b, e.stream(b), boottime.Time(b.Previous))
	}
	before := e.end(b)
	if rest := e.untold(b, before); rest > 0 {
		since := max(before.at, boottime.Time(b.ConnectAt))
		e.put(b, send.Send{Kind: send.Data, At: at, Within: at.Sub(since), Bytes: rest, Quality: send.Aggregated})
	}
	e.put(b, send.Send{Kind: send.Close, At: at, Received: b.Received - min(before.received, b.Received)})
}

// untold returns the payload of a connection that no send has told of. At Connections that is what the samplers did not see. At
// EverySend it is nothing, unless all it carried went a way the programs do not see; other processes that write to the
// socket have streams of their own, whose totals may come later, and subflows of MPTCP are told by the MPTCP socket.
func (e *EBPF) untold(b *bpf.Event, before traced) uint64 {
	if e.level == EverySend && (before.told > 0 || b.MPTCP || e.lost > 0) {
		return 0
	}
	return b.Size - min(before.told, b.Size)
}

// sent takes a send, or the totals of a stream.
func (e *EBPF) sent(b *bpf.Event) {
	if !b.Remote.IsValid() {
		if b.Kind == bpf.Sent {
			e.counters.NoDestination++
		}
		return
	}
	s := e.stream(b)
	at := boottime.Time(b.At)
	switch {
	case b.Kind == bpf.Sent && b.Sends > s.sends+1:
		// those before this one happened by then
		last := *b
		last.Sends, last.Bytes = b.Sends-1, b.Bytes-min(b.Size, b.Bytes)
		e.report(&last, s, boottime.Time(b.Previous))
		fallthrough
	default:
		e.report(b, s, at)
	}
	if b.Kind == bpf.Forgotten {
		if b.Protocol != uint8(send.TCP) && !s.inbound {
			e.put(b, send.Send{Kind: send.Close, At: at, Quality: send.Inferred})
		}
		*s = stream{}
		e.live--
	}
}

// stream returns what is known of a stream, and begins to know it. A send without a stream is one of its own.
func (e *EBPF) stream(b *bpf.Event) *stream {
	for int(b.Stream) >= len(e.streams) {
		e.streams = append(e.streams, stream{})
	}
	s := &e.streams[b.Stream]
	switch {
	case b.Stream == 0:
		*s = stream{}
		e.begin(b, s)
	case !s.known:
		s.known = true
		e.live++
		e.begin(b, s)
		if b.Protocol != uint8(send.TCP) && !s.inbound {
			e.put(b, send.Send{Kind: send.Open, At: boottime.Time(b.At), Quality: s.quality()})
		}
	}
	return s
}

func (e *EBPF) begin(b *bpf.Event, s *stream) {
	if b.Protocol == uint8(send.TCP) {
		s.connection = e.find(b.Cookie)
		return
	}
	s.inbound, s.inferred = e.direction(b)
	s.inferred = s.inferred || b.Peeked
	if s.inbound {
		e.counters.Passive++
	}
}

// report emits the sends up to the totals in b that s has not seen, the last of them at the instant at. Records may come after
// others that tell more, and their two totals may be of instants a send apart: of each, only growth is news.
func (e *EBPF) report(b *bpf.Event, s *stream, at boottime.Time) {
	if b.Sends <= s.sends && b.Bytes <= s.bytes {
		return
	}
	sends, bytes := b.Sends-min(s.sends, b.Sends), b.Bytes-min(s.bytes, b.Bytes)
	within := time.Duration(0)
	if sends != 1 {
		since := s.at
		if since == 0 {
			since = boottime.Time(b.Owner.Start)
		}
		within = max(at.Sub(since), 0)
	}
	s.bytes, s.sends = max(b.Bytes, s.bytes), max(b.Sends, s.sends)
	e.data(b, s, at, within, bytes, sends)
}

func (e *EBPF) data(b *bpf.Event, s *stream, at boottime.Time, within time.Duration, bytes, sends uint64) {
	s.at = max(s.at, at)
	if s.inbound {
		return
	}
	quality := s.quality()
	if sends != 1 && quality == send.Exact {
		quality = send.Aggregated
	}
	if s.connection != nil {
		e.tell(s.connection, bytes, at)
	}
	e.put(b, send.Send{Kind: send.Data, At: at, Within: within, Bytes: bytes, Sends: uint32(min(sends, 1<<32-1)),
		Quality: quality})
}

func (s *stream) quality() send.Quality {
	if s.inferred {
		return send.Inferred
	}
	return send.Exact
}

// direction tells whether a datagram socket answers, and whether that is a guess.
func (e *EBPF) direction(b *bpf.Event) (inbound, inferred bool) {
	switch {
	case !b.Bound, b.First == bpf.Ours:
		return false, false
	case b.First == bpf.Theirs:
		return true, false
	case b.First == bpf.NotHeard && !b.Remote.Addr().IsLoopback():
		_ = e.Hear() // Missing tells of a refusal, and quality of what it costs
	}
	class := func(at netip.AddrPort) int {
		switch {
		case at.Port() < 1024:
			return 0
		case at.Port() < e.cfg.EphemeralFrom:
			return 1
		}
		return 2
	}
	return class(b.Local) < class(b.Remote), true
}

// put completes s with the socket and the process of b, and emits it.
func (e *EBPF) put(b *bpf.Event, s send.Send) {
	s.Socket = send.Socket{Cookie: b.Cookie, NetNS: uint64(b.NetNS), UID: b.Owner.UID, Protocol: send.Protocol(b.Protocol),
		Local: b.Local, Remote: b.Remote}
	if s.Socket.NetNS == e.netns {
		s.Socket.NetNS = 0
	}
	s.Sender = b.Owner.PID
	e.counters.Events++
	e.counters.Bytes += s.Bytes
	e.emit(s)
}
