package source

import (
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// handler returns an EBPF that only handles records, and where what it emits goes.
func handler(level Level) (*EBPF, *[]send.Send) {
	var got []send.Send
	e := &EBPF{cfg: EBPFConfig{MaxSockets: 1000, EphemeralFrom: 32768}, level: level,
		streams: make(map[streamKey]*stream), connections: make(map[uint64]*traced)}
	e.emit = func(s send.Send) { got = append(got, s) }
	return e, &got
}

var (
	here  = netip.MustParseAddrPort("10.0.0.1:40000")
	there = netip.MustParseAddrPort("192.0.2.1:443")
)

func tcpEvent(kind bpf.Kind, at int64) *bpf.Event {
	return &bpf.Event{Kind: kind, Cookie: 5, Protocol: uint8(send.TCP), Local: here, Remote: there, At: at,
		Owner: bpf.Owner{PID: 77, UID: 1000}, Connected: kind == bpf.Opened}
}

func TestConnectionRecords(t *testing.T) {
	opened := tcpEvent(bpf.Opened, 100)
	closed := tcpEvent(bpf.Closed, 900)
	closed.Connected, closed.ConnectAt, closed.Size, closed.Received = true, 90, 500, 60
	refused := tcpEvent(bpf.Closed, 900)
	refused.Errno = syscall.ECONNREFUSED
	gaveUp := tcpEvent(bpf.Closed, 900)
	gaveUp.Retransmits = 2
	abandoned := tcpEvent(bpf.Closed, 900)
	withSends := *closed
	withSends.Sends, withSends.Bytes, withSends.Previous = 3, 520, 800
	subflow := *closed
	subflow.MPTCP = true

	type row struct {
		Kind  send.Kind
		Bytes uint64
		Errno syscall.Errno
	}
	tests := []struct {
		name   string
		level  Level
		events []*bpf.Event
		want   []row
	}{
		{"bytes at the end", Connections, []*bpf.Event{opened, closed}, []row{{Kind: send.Open}, {Kind: send.Data, Bytes: 500},
			{Kind: send.Close}}},
		{"opening lost", Connections, []*bpf.Event{closed}, []row{{Kind: send.Open}, {Kind: send.Data, Bytes: 500},
			{Kind: send.Close}}},
		{"refused", Connections, []*bpf.Event{refused}, []row{{Kind: send.Failed, Errno: syscall.ECONNREFUSED}}},
		{"no answer", Connections, []*bpf.Event{gaveUp}, []row{{Kind: send.Failed, Errno: syscall.ETIMEDOUT}}},
		{"abandoned", Connections, []*bpf.Event{abandoned}, []row{{Kind: send.Failed, Errno: syscall.ECANCELED}}},
		{"application bytes are not added to those of the segments", EverySend, []*bpf.Event{opened, &withSends},
			[]row{{Kind: send.Open}, {Kind: send.Data, Bytes: 520}, {Kind: send.Close}}},
		{"sent on a way the programs do not see", EverySend, []*bpf.Event{opened, closed},
			[]row{{Kind: send.Open}, {Kind: send.Data, Bytes: 500}, {Kind: send.Close}}},
		{"subflow", EverySend, []*bpf.Event{opened, &subflow}, []row{{Kind: send.Open}, {Kind: send.Close}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, got := handler(tt.level)
			for _, event := range tt.events {
				e.handle(event)
			}
			var rows []row
			for _, s := range *got {
				require.Equal(t, int32(77), s.Sender)
				require.Equal(t, there, s.Socket.Remote)
				rows = append(rows, row{s.Kind, s.Bytes, s.Errno})
			}
			require.Equal(t, tt.want, rows)
		})
	}
}

// A sampler beside the programs, in either order: every byte once, and at EverySend none from the sampler.
func TestNothingIsToldTwice(t *testing.T) {
	sampled := func(kind send.Kind, bytes uint64) send.Send {
		return send.Send{Kind: kind, Bytes: bytes, At: 500, Socket: send.Socket{Cookie: 5, Protocol: send.TCP, Remote: there}}
	}
	closed := tcpEvent(bpf.Closed, 900)
	closed.Connected, closed.ConnectAt, closed.Size = true, 90, 500
	for name, level := range map[string]Level{"connections": Connections, "every send": EverySend} {
		t.Run(name, func(t *testing.T) {
			for order, steps := range map[string]func(e *EBPF, sampler Emit){
				"sampler in between": func(e *EBPF, sampler Emit) {
					e.handle(tcpEvent(bpf.Opened, 100))
					sampler(sampled(send.Open, 0))
					sampler(sampled(send.Data, 300))
					e.handle(closed)
					sampler(sampled(send.Data, 200))
					sampler(sampled(send.Close, 0))
				},
				"sampler first": func(e *EBPF, sampler Emit) {
					sampler(sampled(send.Open, 0))
					e.handle(tcpEvent(bpf.Opened, 100))
					sampler(sampled(send.Data, 500))
					sampler(sampled(send.Close, 0))
					e.handle(closed)
				},
				"sampler ahead": func(e *EBPF, sampler Emit) {
					sampler(sampled(send.Open, 0))
					sampler(sampled(send.Data, 500))
					sampler(sampled(send.Close, 0))
					e.handle(tcpEvent(bpf.Opened, 100))
					e.handle(closed)
				},
				"sampler last": func(e *EBPF, sampler Emit) {
					e.handle(tcpEvent(bpf.Opened, 100))
					e.handle(closed)
					sampler(sampled(send.Open, 0))
					sampler(sampled(send.Data, 500))
					sampler(sampled(send.Close, 0))
				},
			} {
				e, got := handler(level)
				steps(e, e.Backfill(e.emit))
				require.Equal(t, uint64(500), bytesOf(*got), order)
				require.Len(t, only(send.Open, *got), 1, order)
				require.Len(t, only(send.Close, *got), 1, order)
				for _, s := range *got {
					require.Equal(t, int32(77), s.Sender, order)
				}
			}
		})
	}
}

func TestBackfillPassesWhatWasThereBefore(t *testing.T) {
	e, got := handler(EverySend)
	sampler := e.Backfill(e.emit)
	old := send.Socket{Cookie: 9, Protocol: send.TCP, Remote: there}
	sampler(send.Send{Kind: send.Data, Bytes: 10, Socket: old})
	sampler(send.Send{Kind: send.Close, Socket: old})
	sampler(send.Send{Kind: send.Open, Socket: send.Socket{Cookie: 1, Protocol: send.UDP}})
	require.Len(t, *got, 3)
}

// Whatever records are lost, the totals that arrive are told exactly once, and times do not go back or ahead.
func TestTotalsAreConserved(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		e, got := handler(EverySend)
		var bytes, sends uint64
		var at, previous int64 = 1000, 0
		var told uint64
		for range 60 {
			size := random.Uint64N(1500)
			previous, at = at, at+1+random.Int64N(int64(time.Second))
			bytes, sends = bytes+size, sends+1
			if random.IntN(3) == 0 {
				continue // folded, or lost
			}
			event := &bpf.Event{Kind: bpf.Sent, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, At: at,
				Previous: previous, Size: size, Bytes: bytes, Sends: sends, Owner: bpf.Owner{PID: 77, Start: 500}}
			if random.IntN(4) == 0 {
				event.Kind = bpf.Totals
			}
			e.handle(event)
			told = bytes
			if random.IntN(10) == 0 {
				event.Kind = bpf.Totals
				e.handle(event) // again: nothing new
			}
		}
		require.Equal(t, told, bytesOf(*got))
		for _, s := range only(send.Data, *got) {
			require.LessOrEqual(t, s.At, boottime.Time(at))
			require.GreaterOrEqual(t, s.At.Add(-s.Within), boottime.Time(500))
			require.True(t, s.Sends > 1 || s.Within == 0)
		}
	}
}

func TestForgottenStreamStartsAgain(t *testing.T) {
	e, got := handler(EverySend)
	event := &bpf.Event{Kind: bpf.Sent, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, At: 10, Size: 7,
		Bytes: 7, Sends: 1, Owner: bpf.Owner{PID: 77}}
	e.handle(event)
	idle := *event
	idle.Kind = bpf.Forgotten
	e.handle(&idle)
	event.At = 1 << 40
	e.handle(event)
	require.Equal(t, uint64(14), bytesOf(*got))
	require.Len(t, only(send.Open, *got), 2)
	require.Len(t, only(send.Close, *got), 1)
}

func TestDatagramDirection(t *testing.T) {
	tests := []struct {
		name          string
		bound         bool
		local, remote string
		inbound       bool
		want          send.Quality
	}{
		{"client", false, "10.0.0.1:40000", "192.0.2.1:53", false, send.Exact},
		{"time server answers", true, "10.0.0.1:123", "192.0.2.1:50000", true, 0},
		{"time server answers one behind an address translator", true, "10.0.0.1:123", "192.0.2.1:2000", true, 0},
		{"application server answers", true, "10.0.0.1:5000", "192.0.2.1:50000", true, 0},
		{"symmetric time client", true, "10.0.0.1:123", "192.0.2.1:123", false, send.Inferred},
		{"bound client", true, "10.0.0.1:40000", "192.0.2.1:53", false, send.Inferred},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, got := handler(EverySend)
			e.handle(&bpf.Event{Kind: bpf.Sent, Cookie: 5, Protocol: uint8(send.UDP), Bound: tt.bound, At: 10, Size: 7, Bytes: 7,
				Sends: 1, Local: netip.MustParseAddrPort(tt.local), Remote: netip.MustParseAddrPort(tt.remote)})
			if tt.inbound {
				require.Empty(t, *got)
				require.Equal(t, uint64(1), e.counters.Passive)
				return
			}
			require.Equal(t, tt.want, only(send.Data, *got)[0].Quality)
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	e, got := handler(EverySend)
	e.cfg.MaxSockets = 10
	for cookie := range uint64(1000) {
		opened := tcpEvent(bpf.Opened, 100)
		opened.Cookie = cookie
		e.handle(opened)
		for range 2 {
			e.handle(&bpf.Event{Kind: bpf.Sent, Cookie: cookie, Protocol: uint8(send.UDP), Local: here, Remote: there, At: 10, Size: 7,
				Bytes: 7, Sends: 1})
		}
	}
	require.Len(t, e.connections, 10)
	require.Len(t, e.streams, 10)
	require.NotZero(t, e.counters.Untracked)
	require.Len(t, only(send.Open, *got), 1000+10)
	e.sweep(boottime.Now())
	require.Len(t, e.connections, 10, "what lives is kept")
}

func TestHandlingDoesNotAllocate(t *testing.T) {
	e, _ := handler(EverySend)
	e.emit = func(send.Send) {}
	event := &bpf.Event{Kind: bpf.Sent, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, Size: 7}
	step := func() {
		event.At++
		event.Bytes += 7
		event.Sends++
		e.handle(event)
	}
	step()
	require.Zero(t, testing.AllocsPerRun(100, step))
}

func BenchmarkHandle(b *testing.B) {
	e, _ := handler(EverySend)
	e.emit = func(send.Send) {}
	event := &bpf.Event{Kind: bpf.Sent, Cookie: 5, Protocol: uint8(send.TCP), Local: here, Remote: there, Size: 7}
	b.ReportAllocs()
	for b.Loop() {
		event.At, event.Bytes, event.Sends = event.At+1, event.Bytes+7, event.Sends+1
		e.handle(event)
	}
}
