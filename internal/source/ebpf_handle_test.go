package source

import (
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// handler returns an EBPF that only handles records, and where what it emits goes.
func handler(level Level) (*EBPF, *[]send.Send) {
	var got []send.Send
	e := &EBPF{cfg: EBPFConfig{MaxSockets: 1000, EphemeralFrom: 32768}, level: level,
		connections: make(map[uint64]*traced)}
	e.emit = func(s send.Send) { got = append(got, s) }
	e.interrupt = func() { e.waiting.take()() } // no record is on its way
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
	withSends.Stream, withSends.Sends, withSends.Bytes, withSends.Previous = 1, 3, 520, 800
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

	// the record of a connection can be on its way when a sampler already tells of its payload
	late := tcpEvent(bpf.Opened, 1000)
	e.interrupt = func() {
		e.handle(late)
		e.waiting.take()()
	}
	sampler(send.Send{Kind: send.Data, Bytes: 10, Socket: send.Socket{Cookie: late.Cookie, Protocol: send.TCP, Remote: there}})
	require.Len(t, *got, 4, "its Open, and no payload")
	e.interrupt = func() { e.waiting.take()() }
	*got = (*got)[:3]

	// a sampler that was there before the programs tells of a connection that was as well
	e.attached = 1000
	sampler(send.Send{Kind: send.Open, At: 999, Socket: send.Socket{Cookie: 2, Protocol: send.TCP, Remote: there}})
	require.Len(t, *got, 4)
	sampler(send.Send{Kind: send.Open, At: 1000, Socket: send.Socket{Cookie: 3, Protocol: send.TCP, Remote: there}})
	require.Len(t, *got, 4, "this one the programs may tell")
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
			event := &bpf.Event{Kind: bpf.Sent, Stream: 1, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, At: at,
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

// Totals are read while records that tell less wait on the ring. What comes late is no news.
func TestRecordsThatComeLate(t *testing.T) {
	sent := func(kind bpf.Kind, at int64, sends, bytes uint64) *bpf.Event {
		return &bpf.Event{Kind: kind, Stream: 1, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, At: at, Size: 100,
			Bytes: bytes, Sends: sends, Owner: bpf.Owner{PID: 77}}
	}
	e, got := handler(EverySend)
	for _, event := range []*bpf.Event{
		sent(bpf.Sent, 10, 1, 100),
		sent(bpf.Totals, 60, 9, 900), // while the fifth was being reported
		sent(bpf.Sent, 50, 5, 500),
		sent(bpf.Totals, 60, 10, 900), // the bytes of the tenth were not added yet
		sent(bpf.Totals, 60, 10, 1000),
		sent(bpf.Forgotten, 70, 11, 1100),
	} {
		e.handle(event)
	}
	require.EqualValues(t, 1100, bytesOf(*got))
	var sends uint32
	for _, s := range *got {
		sends += s.Sends
	}
	require.EqualValues(t, 11, sends)
}

func TestForgottenStreamStartsAgain(t *testing.T) {
	e, got := handler(EverySend)
	event := &bpf.Event{Kind: bpf.Sent, Stream: 1, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, At: 10, Size: 7,
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
		first         bpf.First
		local, remote string
		inbound       bool
		want          send.Quality
	}{
		{"client", false, bpf.NotAsked, "10.0.0.1:40000", "192.0.2.1:53", false, send.Exact},
		{"time server answers", true, bpf.NotAsked, "10.0.0.1:123", "192.0.2.1:50000", true, 0},
		{"time server answers one behind an address translator", true, bpf.NotAsked, "10.0.0.1:123", "192.0.2.1:2000", true, 0},
		{"application server answers", true, bpf.NotAsked, "10.0.0.1:5000", "192.0.2.1:50000", true, 0},
		{"symmetric time client", true, bpf.NotAsked, "10.0.0.1:123", "192.0.2.1:123", false, send.Inferred},
		{"bound client", true, bpf.NotAsked, "10.0.0.1:40000", "192.0.2.1:53", false, send.Inferred},
		{"time server answers its like", true, bpf.Theirs, "10.0.0.1:123", "192.0.2.1:123", true, 0},
		{"tunnel answers", true, bpf.Theirs, "10.0.0.1:51820", "192.0.2.1:40000", true, 0},
		{"symmetric time client, heard", true, bpf.Ours, "10.0.0.1:123", "192.0.2.1:123", false, send.Exact},
		{"implant that looks like a time server", true, bpf.Ours, "10.0.0.1:123", "192.0.2.1:50000", false, send.Exact},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, got := handler(EverySend)
			e.handle(&bpf.Event{Kind: bpf.Sent, Stream: 1, Cookie: 5, Protocol: uint8(send.UDP), Bound: tt.bound, First: tt.first,
				At: 10, Size: 7, Bytes: 7, Sends: 1, Local: netip.MustParseAddrPort(tt.local),
				Remote: netip.MustParseAddrPort(tt.remote)})
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
	const numbers = 5 // of streams, used again and again
	for cookie := range uint64(1000) {
		opened := tcpEvent(bpf.Opened, 100)
		opened.Cookie = cookie
		e.handle(opened)
		for _, kind := range []bpf.Kind{bpf.Sent, bpf.Forgotten} {
			e.handle(&bpf.Event{Kind: kind, Stream: uint32(1 + cookie%numbers), Cookie: cookie, Protocol: uint8(send.UDP), Local: here,
				Remote: there, At: 10, Size: 7, Bytes: 7, Sends: 1})
		}
	}
	require.Len(t, e.connections, 10)
	require.Len(t, e.streams, 1+numbers)
	require.Zero(t, e.live)
	require.NotZero(t, e.counters.Untracked)
	require.Len(t, only(send.Open, *got), 2*1000)
	require.EqualValues(t, 7*1000, bytesOf(*got))
	e.sweep(boottime.Now())
	require.Len(t, e.connections, 10, "what lives is kept")
}

// Where records were lost, what nobody hears of any more makes room, and a map that once was large does not stay so.
func TestLostEndsMakeRoom(t *testing.T) {
	e, _ := handler(EverySend)
	e.cfg.MaxSockets = 8 * shrink.Roomy
	open := func(cookie uint64, at boottime.Time) {
		opened := tcpEvent(bpf.Opened, int64(at))
		opened.Cookie = cookie
		e.handle(opened)
	}
	now := boottime.Time(time.Hour)
	for cookie := range uint64(8 * shrink.Roomy) {
		open(cookie, now.Add(-2*unheard))
	}
	e.sweep(now)
	require.Len(t, e.connections, 8*shrink.Roomy, "nothing was lost, so all of them live")
	e.lost = 1
	e.find(7).at = now
	e.sweep(now)
	require.Len(t, e.connections, 1, "who has spoken lately")
	require.Equal(t, 1, e.most, "the map is another one")
	open(1<<40, now)
	require.Zero(t, e.counters.Untracked, "there is room")
}

// A send without a stream is told by itself, and nothing is remembered of it.
func TestSendsWithoutAStream(t *testing.T) {
	e, got := handler(EverySend)
	for range 3 {
		e.handle(&bpf.Event{Kind: bpf.Sent, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, At: 10, Size: 7,
			Bytes: 7, Sends: 1, Untracked: true})
	}
	require.EqualValues(t, 21, bytesOf(*got))
	require.Len(t, only(send.Data, *got), 3)
	require.Zero(t, e.live)
}

func TestHandlingDoesNotAllocate(t *testing.T) {
	e, _ := handler(EverySend)
	e.emit = func(send.Send) {}
	event := &bpf.Event{Kind: bpf.Sent, Stream: 1, Cookie: 5, Protocol: uint8(send.UDP), Local: here, Remote: there, Size: 7}
	step := func() {
		event.At++
		event.Bytes += 7
		event.Sends++
		e.handle(event)
	}
	step()
	require.Zero(t, testing.AllocsPerRun(100, step))
}

// BenchmarkEvent is what one record costs us from the ring to emit, in CPU time; package bpf has the part up to the Event.
func BenchmarkEvent(b *testing.B) {
	tracer, err := bpf.Open(bpf.Config{Sends: true, Window: time.Nanosecond, Ring: 16 << 20})
	if err != nil {
		need.Skip(b, "%v", err)
	}
	defer func() { require.NoError(b, tracer.Close()) }()
	e, _ := handler(EverySend)
	e.emit = func(send.Send) {}
	l, err := net.ListenPacket("udp4", "127.0.0.1:0") // what nobody reads is dropped there
	require.NoError(b, err)
	defer l.Close()
	c, err := net.Dial("udp4", l.LocalAddr().String())
	require.NoError(b, err)
	defer c.Close()
	payload := make([]byte, 8)
	var event bpf.Event
	least := math.Inf(1)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	for b.Loop() {
		for range 10000 {
			if _, err := c.Write(payload); err != nil {
				b.Fatal(err)
			}
		}
		tracer.Interrupt()
		events := 0
		began := threadTime()
		for {
			ok, err := tracer.Next(&event)
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			e.handle(&event)
			events++
		}
		least = min(least, float64(threadTime()-began)/float64(events))
	}
	b.ReportMetric(least, "cpu-ns/event")
}

// threadTime is the CPU time this thread has had.
func threadTime() time.Duration { return monotonic(unix.CLOCK_THREAD_CPUTIME_ID) }
