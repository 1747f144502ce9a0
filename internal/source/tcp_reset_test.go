package source

import (
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestTCPConnectionResetByItsOwnProgram(t *testing.T) {
	to := server(t, "127.0.0.77:0", drain)
	t.Run("after a sample", func(t *testing.T) {
		r := watchTCP(t, TCPConfig{})
		c := dial(t, to)
		write(t, c, 10)
		require.EqualValues(t, 10, r.await(t, send.Data, to, 1)[0].Bytes)
		require.NoError(t, c.SetLinger(0))
		c.Close()
		require.Equal(t, c.LocalAddr().(*net.TCPAddr).AddrPort(), r.await(t, send.Close, to, 1)[0].Socket.Local)
		require.Len(t, r.of(to), 3)
	})
	t.Run("before any sample", func(t *testing.T) {
		r := watchTCP(t, TCPConfig{MinPeriod: seldom})
		start := boottime.Now()
		c := dial(t, to)
		write(t, c, 10)
		require.NoError(t, c.SetLinger(0))
		c.Close()
		erased := netip.AddrPortFrom(to.Addr(), 0)
		open := r.await(t, send.Open, erased, 1)[0]
		require.Equal(t, send.Inferred, open.Quality)
		require.Greater(t, open.At, start)
		r.await(t, send.Close, erased, 1)
		require.Len(t, r.of(erased), 2, "its bytes are erased, and not guessed")
		require.Empty(t, r.of(to))
	})
}

func TestTCPSocketConnectedAnew(t *testing.T) {
	one, two := server(t, "127.0.0.1:0", drain), server(t, "127.0.0.1:0", drain)
	r := watchTCP(t, TCPConfig{})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	for i, to := range []netip.AddrPort{one, two} {
		require.NoError(t, unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
		_, err := unix.Write(fd, make([]byte, 100+i))
		require.NoError(t, err)
		require.EqualValues(t, 100+i, r.await(t, send.Data, to, 1)[0].Bytes)
		disconnect(t, fd)
	}
	require.Len(t, only(send.Open, r.of(one)), 1)
	require.Len(t, only(send.Open, r.of(two)), 1)
	r.await(t, send.Close, one, 1)
	require.Equal(t, r.of(one)[0].Socket.Cookie, r.of(two)[0].Socket.Cookie)
}

func TestTCPRetransmissionsAreNoSends(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, from string
	}{
		{"lost on the way", "10.9.0.1"},
		{"never left, for want of a route", "10.9.0.2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			alias := []string{"ip", "address", "add", "10.9.0.2/32", "dev", "lo"}
			enterNamespace(t, alias, []string{"ip", "address", "add", "10.9.0.1/32", "dev", "lo"})
			to := server(t, "10.9.0.2:0", drain)
			r := watchTCP(t, TCPConfig{MinPeriod: 300 * time.Millisecond})
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(tt.from)}}
			c, err := dialer.Dial("tcp", to.String())
			require.NoError(t, err)
			defer c.Close()
			r.await(t, send.Open, to, 1)
			write(t, c, 50)
			require.EqualValues(t, 50, r.await(t, send.Data, to, 1)[0].Bytes)
			// from now on the far end is nobody's address
			configure(t, []string{"ip", "route", "add", "10.9.0.0/16", "dev", "lo"},
				[]string{"ip", "address", "delete", "10.9.0.2/32", "dev", "lo"})
			before := boottime.Now()
			write(t, c, 600)
			r.passes(t, 3)
			for _, s := range only(send.Data, r.of(to))[1:] {
				require.LessOrEqual(t, s.At.Add(-s.Within), before.Add(time.Millisecond), "the first try is covered")
			}
			configure(t, alias)
			require.Eventually(t, func() bool { return bytesOf(r.of(to)) == 650 }, patience, 10*time.Millisecond)
			write(t, c, 7)
			require.Eventually(t, func() bool { return bytesOf(r.of(to)) == 657 }, patience, 10*time.Millisecond)
			require.NoError(t, c.(*net.TCPConn).SetLinger(0))
			c.Close()
			r.await(t, send.Close, to, 1)
			require.Len(t, only(send.Data, r.of(to)), 3)
			require.EqualValues(t, 657, bytesOf(r.of(to)))
		})
	}
}

// disconnect dissolves the connection of a socket, which stays open (connect(2), AF_UNSPEC).
func disconnect(t *testing.T, fd int) {
	t.Helper()
	unspecified := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	require.NoError(t, rawConnect(fd, &unspecified))
}

func rawConnect(fd int, to *unix.RawSockaddr) error {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unsafe.Sizeof(*to))
	if errno != 0 {
		return errno
	}
	return nil
}
