package source

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

func watchUDP(t *testing.T, cfg UDPDiagConfig) *record {
	t.Helper()
	udp, err := NewUDPDiag(cfg)
	return run(t, udp, err)
}

func packetServer(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		need.Skip(t, "no socket on %s: %v", address, err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func dialUDP(t *testing.T, from, to netip.AddrPort) net.Conn {
	t.Helper()
	d := net.Dialer{}
	if from.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(from)
	}
	c, err := d.Dial("udp", to.String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestUDPOpensAndClosesCarryNoBytes(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			to := packetServer(t, address)
			r := watchUDP(t, UDPDiagConfig{MinPeriod: 5 * time.Millisecond})
			before := boottime.Now()
			c := dialUDP(t, netip.AddrPort{}, to)
			write(t, c, 500)
			open := r.await(t, send.Open, to, 1)[0]
			require.Equal(t, send.UDP, open.Socket.Protocol)
			require.Equal(t, send.Inferred, open.Quality)
			require.NotZero(t, open.Socket.Inode)
			require.Greater(t, open.At, before)
			c.Close()
			end := r.await(t, send.Close, to, 1)[0]
			require.Equal(t, open.Socket, end.Socket)
			require.Zero(t, bytesOf(r.of(to)))
			require.Len(t, r.of(to), 2)
		})
	}
}

func TestUDPSocketsBetweenSamplesAreKnownByTheirNotices(t *testing.T) {
	to := packetServer(t, "127.0.0.1:0")
	r := watchUDP(t, UDPDiagConfig{MinPeriod: seldom})
	for range 50 {
		c := dialUDP(t, netip.AddrPort{}, to)
		write(t, c, 1)
		c.Close()
	}
	r.await(t, send.Open, to, 50)
	r.await(t, send.Close, to, 50)
	require.Equal(t, send.UnknownUID, r.of(to)[0].Socket.UID)
}

func TestUDPTakesOverWithoutAnOpen(t *testing.T) {
	to := packetServer(t, "127.0.0.1:0")
	c := dialUDP(t, netip.AddrPort{}, to)
	r := watchUDP(t, UDPDiagConfig{MinPeriod: 5 * time.Millisecond})
	require.NotZero(t, r.Stats().TakenOver)
	r.passes(t, 2)
	require.Empty(t, r.of(to))
	c.Close()
	r.await(t, send.Close, to, 1)
}

func TestUDPSocketsWithoutAPeerAreOnlyCounted(t *testing.T) {
	at := packetServer(t, "127.0.0.1:0")
	r := watchUDP(t, UDPDiagConfig{MinPeriod: 5 * time.Millisecond})
	require.NotZero(t, r.Stats().Unconnected)
	r.passes(t, 2)
	require.Empty(t, r.of(at))
}

func TestUDPSocketOfAServerIsNotOutbound(t *testing.T) {
	port := packetServer(t, "127.0.0.1:0").Port()
	to := packetServer(t, "127.0.0.1:0")
	r := watchUDP(t, UDPDiagConfig{MinPeriod: 5 * time.Millisecond})
	passive := r.Stats().Passive
	// the same port on another address stands for SO_REUSEADDR on the same
	dialUDP(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port), to)
	require.Eventually(t, func() bool { return r.Stats().Passive > passive }, patience, time.Millisecond)
	require.Empty(t, r.of(to))
}

func TestUDPSocketGivenAnotherPeer(t *testing.T) {
	one, two := packetServer(t, "127.0.0.1:0"), packetServer(t, "127.0.0.1:0")
	r := watchUDP(t, UDPDiagConfig{MinPeriod: 5 * time.Millisecond})
	c := dialUDP(t, netip.AddrPort{}, one).(*net.UDPConn)
	r.await(t, send.Open, one, 1)
	reconnect(t, c, two)
	r.await(t, send.Close, one, 1)
	r.await(t, send.Open, two, 1)
}

func TestUDPBoundsWhatItTracks(t *testing.T) {
	to := packetServer(t, "127.0.0.1:0")
	r := watchUDP(t, UDPDiagConfig{MaxSockets: 5, MinPeriod: 5 * time.Millisecond})
	for range 20 {
		dialUDP(t, netip.AddrPort{}, to)
	}
	r.passes(t, 2)
	require.LessOrEqual(t, r.Stats().Sockets, uint64(5))
	require.NotZero(t, r.Stats().Untracked)
}

// reconnect gives c another peer (connect(2)).
func reconnect(t *testing.T, c *net.UDPConn, to netip.AddrPort) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.NoError(t, unix.Connect(int(fd), &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	}))
}
