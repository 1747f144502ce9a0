package source

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

const jiffy = 4 * time.Millisecond

// reader is a TCP source fed by hand, with the sends it emitted. Its first pass is over; passes begin every second.
type reader struct {
	*TCP
	sends []send.Send
	now   boottime.Time
}

func newReader(limit int) *reader {
	r := &reader{now: boottime.Time(time.Hour)}
	r.TCP = &TCP{cfg: TCPConfig{MaxSockets: limit}, table: newConnections(limit), clock: &jiffyClock{jiffy: jiffy},
		listeners: listeners{seen: make(map[netip.AddrPort]boottime.Time)},
		emit:      func(s send.Send) { r.sends = append(r.sends, s) }}
	r.paying, r.ladder = &r.full, ladder{least: time.Second}
	r.since, r.pass = r.now, 1
	r.full.start = r.now
	r.counters.Samples = 1
	return r
}

// read is a pass that finds those sockets and returns what it made the source emit.
func (r *reader) read(found ...sockdiag.Socket) []send.Send {
	r.now = r.now.Add(time.Second)
	r.full.start, r.sends = r.now, nil
	r.pass++
	for i := range found {
		r.observe(&found[i], r.span())
	}
	r.sweep()
	r.since = r.now
	return r.sends
}

// last takes a notice of a destroyed socket.
func (r *reader) last(s sockdiag.Socket) []send.Send {
	r.now = r.now.Add(100 * time.Millisecond)
	r.sends = nil
	s.State = sockdiag.Closed
	r.listeners.refresh = r.now // there is no kernel to ask
	r.destroyed(&s, r.span())
	return r.sends
}

func (r *reader) span() span {
	at := instant{now: r.now, tick: r.now}
	return span{from: at, to: at}
}

// socket is an established connection of ours that has sent and had acknowledged so many bytes in so many segments.
func socket(cookie, bytes uint64, segments uint32) sockdiag.Socket {
	return sockdiag.Socket{State: sockdiag.Established, Cookie: cookie, Inode: 5, UID: 6,
		Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("192.0.2.1:443"),
		Info: sockdiag.TCPInfo{Length: 280, BytesSent: bytes, BytesAcked: bytes + 1, DataSegsOut: segments,
			Delivered: segments + 1, SegsOut: segments + 2, SendMSS: 1000, SendWindow: 10, PMTU: 1500, RTT: time.Millisecond,
			SinceSent: 40 * time.Millisecond}}
}

func kinds(sends []send.Send) (found []send.Kind) {
	for _, s := range sends {
		found = append(found, s.Kind)
	}
	return found
}

func TestOneSendIsTimedToAJiffy(t *testing.T) {
	r := newReader(10)
	r.read(socket(1, 0, 0))
	got := r.read(socket(1, 500, 1))
	require.Len(t, got, 1)
	require.Equal(t, r.now.Add(-40*time.Millisecond+jiffy+tickDelay), got[0].At)
	require.Equal(t, jiffy+tickDelay, got[0].Within)
	require.Equal(t, send.Jiffy, got[0].Quality)
	require.Empty(t, r.read(socket(1, 500, 1)))
}

func TestHowManySendsASegmentCountSuggests(t *testing.T) {
	tests := []struct {
		name     string
		bytes    uint64
		segments uint32
		sends    uint32
		quality  send.Quality
	}{
		{"one small", 10, 1, 1, send.Jiffy},
		{"one of three segments", 2500, 3, 1, send.Jiffy},
		{"two small", 20, 2, 2, send.Aggregated},
		{"three, one of them long", 2020, 5, 3, send.Aggregated},
		{"more than one flight", 15_000, 15, 1, send.Aggregated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReader(10)
			r.read(socket(1, 0, 0))
			got := r.read(socket(1, tt.bytes, tt.segments))
			require.Len(t, got, 1)
			require.Equal(t, tt.sends, got[0].Sends)
			require.Equal(t, tt.quality, got[0].Quality)
			if tt.quality == send.Aggregated {
				require.Greater(t, got[0].Within, 900*time.Millisecond, "back to the reading before")
			}
		})
	}
}

func TestARetransmissionNeitherCountsNorTells(t *testing.T) {
	r := newReader(10)
	r.read(socket(1, 100, 1))
	again := socket(1, 100, 1)
	again.Info.BytesSent, again.Info.BytesRetrans, again.Info.TotalRetrans, again.Info.DataSegsOut = 300, 200, 2, 3
	require.Empty(t, r.read(again), "retransmissions alone are no send")
	more := again
	more.Info.BytesSent, more.Info.BytesAcked, more.Info.BytesRetrans = 450, 151, 300
	more.Info.TotalRetrans, more.Info.DataSegsOut = 3, 5
	got := r.read(more)
	require.Len(t, got, 1)
	require.EqualValues(t, 50, got[0].Bytes)
	require.Equal(t, send.Aggregated, got[0].Quality, "the clock may be that of the retransmission")
	require.Greater(t, got[0].Within, 900*time.Millisecond)
}

func TestAKernelBefore419CountsWhatWasAcknowledged(t *testing.T) {
	old := func(acked uint64, state sockdiag.State) sockdiag.Socket {
		s := socket(1, 0, 0)
		s.Info = sockdiag.TCPInfo{Length: 192, BytesAcked: acked, RTT: time.Millisecond, SendMSS: 1000, SegsOut: 1, PMTU: 1500}
		s.State = state
		return s
	}
	r := newReader(10)
	require.Equal(t, []send.Kind{send.Open}, kinds(r.read(old(1, sockdiag.Established))), "the SYN is no payload")
	require.EqualValues(t, 100, bytesOf(r.read(old(101, sockdiag.Established))))
	require.Zero(t, bytesOf(r.read(old(102, sockdiag.FinWait2))), "nor is the FIN")
	got := r.last(old(102, sockdiag.Closed))
	require.Equal(t, []send.Kind{send.Close}, kinds(got))
}

func TestASocketHeldAfterItsEnd(t *testing.T) {
	r := newReader(10)
	r.read(socket(1, 100, 1))
	require.Empty(t, r.read(), "its notice may be on the way")
	require.Equal(t, []send.Kind{send.Close}, kinds(r.read()))
	require.Empty(t, r.read())
	got := r.last(socket(1, 130, 2))
	require.Equal(t, []send.Kind{send.Data}, kinds(got), "it ends once, but its last bytes count")
	require.EqualValues(t, 30, got[0].Bytes)
	require.Empty(t, r.table.index)
}

func TestASocketForgottenIsNotNewsAtItsEnd(t *testing.T) {
	r := newReader(10)
	r.read(socket(1, 100, 1))
	r.read()
	r.read()
	r.now = r.now.Add(heldFor)
	r.read()
	require.Empty(t, r.table.index, "nobody waits for ever")
	old := socket(1, 100, 1)
	old.Info.SinceSent = heldFor
	require.Empty(t, r.last(old))
}

func TestAnAttemptRepeatedOnOneSocketIsSeveral(t *testing.T) {
	trying := func(port uint16) sockdiag.Socket {
		s := socket(1, 0, 0)
		s.State, s.Info = sockdiag.SynSent, sockdiag.TCPInfo{Length: 280, SegsOut: 1}
		s.Local = netip.AddrPortFrom(s.Local.Addr(), port)
		return s
	}
	r := newReader(10)
	require.Empty(t, r.read(trying(1000)))
	require.Equal(t, []send.Kind{send.Failed}, kinds(r.read(trying(1001))))
	s := socket(1, 0, 0)
	s.Local = netip.AddrPortFrom(s.Local.Addr(), 1001)
	require.Equal(t, []send.Kind{send.Open}, kinds(r.read(s)))
}

func TestRoomIsMadeOfWhatHasEnded(t *testing.T) {
	r := newReader(8)
	var all []sockdiag.Socket
	for i := range 8 {
		all = append(all, socket(uint64(1+i), 0, 0))
	}
	require.Len(t, r.read(all...), 8)
	require.Empty(t, r.read(socket(9, 0, 0)))
	require.EqualValues(t, 1, r.counters.Untracked)
	r.read()
	r.read()
	require.Len(t, r.read(socket(9, 0, 0)), 1)
	require.LessOrEqual(t, len(r.table.index), 8)
}

func TestInboundSocketsLeaveRoomForOutbound(t *testing.T) {
	r := newReader(8)
	var all []sockdiag.Socket
	for i := range 100 {
		s := socket(uint64(100+i), 0, 0)
		s.Info.BytesAcked = 0
		all = append(all, s)
	}
	require.Empty(t, r.read(all...))
	require.Empty(t, r.read(all...))
	require.Len(t, r.table.index, 4)
	require.Zero(t, r.counters.Untracked, "nothing is lost by that")
	require.Len(t, r.read(append(all, socket(1, 0, 0))...), 1)
}
