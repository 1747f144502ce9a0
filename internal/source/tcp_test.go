package source

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func drain(c net.Conn) { io.Copy(io.Discard, c) }

func watchTCP(t testing.TB, cfg TCPConfig) *record {
	t.Helper()
	tcp, err := NewTCP(cfg)
	return run(t, tcp, err)
}

// seldom is a period no test lives to see twice: what is reported comes from notices alone.
const seldom = time.Hour

func TestTCPFollowsALongConnection(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			r := watchTCP(t, TCPConfig{})
			to := server(t, address, drain)
			before := boottime.Now()
			c := dial(t, to)
			open := r.await(t, send.Open, to, 1)[0]
			require.Equal(t, c.LocalAddr().(*net.TCPAddr).AddrPort(), open.Socket.Local)
			require.EqualValues(t, os.Getuid(), open.Socket.UID)
			require.NotZero(t, open.Socket.Inode)
			require.NotZero(t, open.Socket.Cookie)
			require.Equal(t, send.Jiffy, open.Quality)
			require.Greater(t, open.At, before)
			for i, size := range []int{100, 1, 70_000} {
				write(t, c, size)
				data := r.await(t, send.Data, to, i+1)[i]
				require.EqualValues(t, size, data.Bytes)
				require.Equal(t, open.Socket, data.Socket)
			}
			c.Close()
			end := r.await(t, send.Close, to, 1)[0]
			require.Zero(t, end.Bytes)
			require.Equal(t, open.Socket, end.Socket)
			require.GreaterOrEqual(t, end.At, r.of(to)[3].At)
		})
	}
}

func TestTCPConnectionsBetweenSamplesAreCompleteByTheirNotices(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			to := server(t, address, drain)
			r := watchTCP(t, TCPConfig{MinPeriod: seldom})
			const n = 300
			start := boottime.Now()
			want := map[uint64]int{}
			for i := range n {
				c := dial(t, to)
				write(t, c, 1+i)
				c.Close()
				want[uint64(1+i)]++
			}
			r.await(t, send.Close, to, n)
			got := map[uint64]int{}
			for _, s := range r.await(t, send.Data, to, n) {
				got[s.Bytes]++
				require.Equal(t, send.Jiffy, s.Quality)
				require.LessOrEqual(t, s.Within, 50*time.Millisecond)
				require.Greater(t, s.At, start)
				require.Equal(t, send.UnknownUID, s.Socket.UID, "nobody told whose it was")
			}
			require.Equal(t, want, got)
			r.await(t, send.Open, to, n)
			require.EqualValues(t, 1, r.Stats().Samples)
		})
	}
}

func TestTCPNoticeYieldsExactlyTheBytesNotYetReported(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	r := watchTCP(t, TCPConfig{MinPeriod: 300 * time.Millisecond})
	c := dial(t, to)
	write(t, c, 100)
	first := r.await(t, send.Data, to, 1)[0]
	require.EqualValues(t, 100, first.Bytes)
	write(t, c, 50) // the next sample is far
	c.Close()
	r.await(t, send.Close, to, 1)
	rest := only(send.Data, r.of(to))[1:]
	require.EqualValues(t, 50, bytesOf(rest))
	require.Equal(t, first.Socket.Inode, rest[0].Socket.Inode, "the owner is known from the sample")
}

func TestTCPTakesOverWithoutAPhantomSend(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	c := dial(t, to)
	write(t, c, 5000)
	closed := dial(t, to)
	write(t, closed, 5000)
	r := watchTCP(t, TCPConfig{})
	require.NotZero(t, r.Stats().TakenOver)
	r.passes(t, 3)
	require.Empty(t, r.of(to))
	write(t, c, 10)
	require.EqualValues(t, 10, r.await(t, send.Data, to, 1)[0].Bytes)
	closed.Close()
	r.await(t, send.Close, to, 1)
	require.Len(t, r.of(to), 2, "and no Open")
}

func TestTCPReportsWhatAnAdoptedSocketHasAlreadySent(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	r := watchTCP(t, TCPConfig{MinPeriod: 200 * time.Millisecond})
	start := boottime.Now()
	c := dial(t, to)
	write(t, c, 300)
	open, data := r.await(t, send.Open, to, 1)[0], r.await(t, send.Data, to, 1)[0]
	require.EqualValues(t, 300, data.Bytes)
	require.LessOrEqual(t, open.At.Add(-open.Within), start.Add(100*time.Millisecond))
	require.GreaterOrEqual(t, data.At, open.At)
	require.Greater(t, data.At, start)
}

func TestTCPSeveralSendsBetweenSamplesAreMarked(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	r := watchTCP(t, TCPConfig{MinPeriod: 300 * time.Millisecond})
	c := dial(t, to)
	require.NoError(t, c.SetNoDelay(true))
	r.await(t, send.Open, to, 1)
	first := boottime.Now()
	for range 3 {
		write(t, c, 10)
		write(t, c, 10)
	}
	data := r.await(t, send.Data, to, 1)[0]
	require.EqualValues(t, 60, data.Bytes)
	require.EqualValues(t, 6, data.Sends)
	require.Equal(t, send.Aggregated, data.Quality)
	require.LessOrEqual(t, data.At.Add(-data.Within), first, "the first of them is covered")
}

func TestTCPServersAreSilent(t *testing.T) {
	answer := func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 10)); err == nil {
			c.Write(make([]byte, 1000))
		}
	}
	reset := func(c net.Conn) {
		answer(c)
		c.(*net.TCPConn).SetLinger(0)
	}
	for name, handle := range map[string]func(net.Conn){"ends first": answer, "waits": func(c net.Conn) { answer(c); drain(c) },
		"resets": reset} {
		for _, period := range []time.Duration{seldom, 5 * time.Millisecond} {
			t.Run(name+" "+period.String(), func(t *testing.T) {
				at := server(t, "127.0.0.1:0", handle)
				r := watchTCP(t, TCPConfig{MinPeriod: period, Budget: 1})
				const n = 40
				for range n {
					c := dial(t, at)
					write(t, c, 10)
					io.ReadFull(c, make([]byte, 1000))
					c.Close()
				}
				r.await(t, send.Close, at, n)
				require.Eventually(t, func() bool { return r.Stats().Passive >= n }, patience, time.Millisecond)
				for _, s := range r.of(at) {
					require.Equal(t, at, s.Socket.Remote, "only the near end is reported: %+v", s)
				}
				require.EqualValues(t, 10*n, bytesOf(r.of(at)))
			})
		}
	}
}

func TestTCPBoundsWhatItTracks(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	r := watchTCP(t, TCPConfig{MaxSockets: 10})
	for range 30 {
		dial(t, to)
	}
	r.passes(t, 2)
	require.LessOrEqual(t, r.Stats().Sockets, uint64(10))
	require.NotZero(t, r.Stats().Untracked)
}

func TestTCPGoesOnAfterLosingNotices(t *testing.T) {
	enterNamespace(t)
	to := server(t, "127.0.0.1:0", drain)
	var all []*net.TCPConn
	for range 100 {
		all = append(all, dial(t, to))
	}
	r := watchTCP(t, TCPConfig{ReceiveBuffer: 1, Discovery: seldom})
	for _, c := range all {
		write(t, c, 1)
	}
	r.await(t, send.Data, to, len(all))
	before := r.Stats().Samples
	r.mu.Lock() // the source waits in emit with the first it hears of
	for _, c := range all {
		c.SetLinger(0)
		c.Close()
	}
	events := r.runner.(*TCP).events
	require.Eventually(t, func() bool { return events.Drops() > 0 }, patience, time.Millisecond)
	dial(t, to)
	r.mu.Unlock()
	require.Eventually(t, func() bool { return r.Stats().Gaps > 0 }, patience, time.Millisecond)
	require.GreaterOrEqual(t, r.Stats().Lost, r.Stats().Gaps)
	r.await(t, send.Close, to, len(all)) // those unheard are found missing
	r.await(t, send.Open, to, 1)         // by a pass over all sockets
	require.Greater(t, r.Stats().Samples, before)
}

func TestTCPConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]TCPConfig{"period": {MinPeriod: time.Microsecond}, "budget": {Budget: 2},
		"negative budget": {Budget: -1}, "sockets": {MaxSockets: -1}} {
		_, err := NewTCP(cfg)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, ErrRefused, name)
	}
}

func TestTCPEndsBeforeItBegan(t *testing.T) {
	tcp, err := NewTCP(TCPConfig{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, tcp.Run(ctx, func(send.Send) {}))
}

func TestTCPServersOfAMomentAreSilent(t *testing.T) {
	r := watchTCP(t, TCPConfig{MinPeriod: seldom}) // no walk will show this listener in time
	at := server(t, "127.0.0.1:0", func(c net.Conn) {
		io.ReadFull(c, make([]byte, 10))
		c.(*net.TCPConn).SetLinger(0) // its last counters do not tell who opened it
	})
	<-time.After(2 * listenerUrgent)
	for range 5 {
		c := dial(t, at)
		write(t, c, 10)
		drain(c)
		c.Close()
	}
	r.await(t, send.Close, at, 5)
	for _, s := range r.of(at) {
		require.Equal(t, at, s.Socket.Remote)
	}
}

func TestTCPReadsRecentSendersMoreOften(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	for range 1000 { // which make a complete pass dear
		dial(t, to)
	}
	r := watchTCP(t, TCPConfig{Budget: 0.02})
	c := dial(t, to)
	const n = 40
	for range n {
		write(t, c, 10)
		<-time.After(50 * time.Millisecond)
	}
	c.Close()
	r.await(t, send.Close, to, 1)
	require.EqualValues(t, 10*n, bytesOf(r.of(to)))
	stats := r.Stats()
	t.Logf("%d sends in %d reports, %d complete samples, %d of the hot set", n, len(only(send.Data, r.of(to))), stats.Samples,
		stats.HotSamples)
	require.Greater(t, stats.HotSamples, stats.Samples)
}

func TestTCPSamplingAllocatesNothing(t *testing.T) {
	enterNamespace(t) // of other sockets may come more
	to := server(t, "127.0.0.1:0", drain)
	for range 50 {
		write(t, dial(t, to), 10)
	}
	tcp, err := NewTCP(TCPConfig{})
	require.NoError(t, err)
	defer tcp.close()
	tcp.emit = func(send.Send) {}
	pass := func() {
		if err := tcp.sample(); err != nil {
			t.Fatal(err)
		}
		tcp.watched = tcp.watched[:0]
		for i := range tcp.table.slots {
			tcp.watched = append(tcp.watched, int32(i))
			tcp.table.slots[i].known = 0 // all are due
		}
		if err := tcp.sampleKnown(); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	require.GreaterOrEqual(t, len(tcp.due), 50)
	require.Zero(t, testing.AllocsPerRun(20, pass))
}
