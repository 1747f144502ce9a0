package source

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// acquaintances are the sockets a source has met, by their local ends.
type acquaintances struct {
	mu  sync.Mutex
	met map[netip.AddrPort]send.Socket
}

func (a *acquaintances) meet(s send.Socket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.met == nil {
		a.met = make(map[netip.AddrPort]send.Socket)
	}
	a.met[s.Local] = s
}

func (a *acquaintances) of(local netip.AddrPort) (send.Socket, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.met[local]
	return s, ok
}

// With an hour between samples only its SYN can tell of a connection while it is open; what TCP emits stays the same.
func TestTriggeredTCPMeetsWhoConnects(t *testing.T) {
	enterNamespace(t)
	var a acquaintances
	tcp, err := NewTriggeredTCP(TCPConfig{MinPeriod: seldom, Glimpse: a.meet})
	r := run(t, tcp, err)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		to := server(t, address, drain)
		c := dial(t, to)
		local := c.LocalAddr().(*net.TCPAddr).AddrPort()
		require.Eventually(t, func() bool { _, ok := a.of(local); return ok }, patience, time.Millisecond)
		s, _ := a.of(local)
		require.Equal(t, to, s.Remote)
		require.EqualValues(t, os.Getuid(), s.UID)
		require.NotZero(t, s.Inode)
		require.Empty(t, r.of(to), "a SYN is no send")
		write(t, c, 321)
		c.Close()
		end := r.await(t, send.Close, to, 1)[0]
		require.Equal(t, s.Cookie, end.Socket.Cookie, "by which attribution remembers whom it found")
		require.EqualValues(t, 321, bytesOf(r.of(to)))
		require.Len(t, only(send.Open, r.of(to)), 1)
	}
	require.Equal(t, "packet", r.Stats().Name)
	require.Zero(t, r.Stats().Lost)
}

// A connection can be over before its owner is known: its end is told only then.
func TestTriggeredTCPTellsTheEndAfterTheBeginning(t *testing.T) {
	enterNamespace(t)
	entered, blocked := make(chan send.Socket, 1), make(chan struct{})
	leave := sync.OnceFunc(func() { close(blocked) })
	tcp, err := NewTriggeredTCP(TCPConfig{MinPeriod: seldom, Glimpse: func(s send.Socket) {
		entered <- s
		<-blocked
	}})
	if err == nil {
		tcp.syns.patience = patience
	}
	to := server(t, "127.0.0.1:0", drain)
	r := run(t, tcp, err)
	t.Cleanup(leave)
	c := dial(t, to)
	s := <-entered
	c.Close()
	require.Eventually(t, tcp.syns.waiting.awaited, patience, time.Millisecond)
	require.Empty(t, r.of(to))
	leave()
	require.Equal(t, s.Cookie, r.await(t, send.Close, to, 1)[0].Socket.Cookie)
}

// A SYN that was kept waiting for longer than a sample takes is passed over.
func TestSYNsThatAreLateArePassedOver(t *testing.T) {
	enterNamespace(t)
	to := server(t, "127.0.0.1:0", drain)
	for _, tt := range []struct {
		period time.Duration
		want   int
	}{{seldom, 1}, {time.Millisecond, 0}} {
		tcp, err := NewTriggeredTCP(TCPConfig{MinPeriod: tt.period, Discovery: seldom})
		require.NoError(t, err)
		s := tcp.syns
		began := boottime.Now()
		dial(t, to)
		ready, err := s.conn.Wait()
		require.NoError(t, err)
		require.True(t, ready)
		require.Eventually(t, func() bool { return boottime.Now().Sub(began) > 20*time.Millisecond }, patience, time.Millisecond)
		require.NoError(t, s.receive())
		require.Len(t, s.queries, tt.want)
		tcp.close()
		require.NoError(t, s.conn.Close())
		require.NoError(t, s.diag.Close())
	}
}
