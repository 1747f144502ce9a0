package source

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// unusedPort returns an address on loopback nobody listens on.
func unusedPort(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		need.Skip(t, "no listener on %s: %v", address, err)
	}
	require.NoError(t, l.Close())
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// connectPlainly calls connect(2) on a socket of our own, blocking as a C program would, and closes it.
func connectPlainly(t *testing.T, to netip.AddrPort, tries int) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, tries))
	return unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
}

func TestTCPRefusedConnectionsAreFailures(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			to := unusedPort(t, address)
			r := watchTCP(t, TCPConfig{})
			start := boottime.Now()
			const n = 20
			for range n {
				_, err := net.Dial("tcp", to.String()) // not blocking underneath
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
			}
			for _, s := range r.await(t, send.Failed, to, n) {
				require.Equal(t, syscall.ECONNREFUSED, s.Errno)
				require.Equal(t, send.Inferred, s.Quality)
				require.Greater(t, s.At, start)
				require.Zero(t, s.Bytes)
			}
			require.Len(t, r.of(to), n, "and nothing else")
		})
	}
}

func TestTCPRefusedBlockingConnectLosesOnlyThePort(t *testing.T) {
	r := watchTCP(t, TCPConfig{})
	require.ErrorIs(t, connectPlainly(t, netip.MustParseAddrPort("127.0.0.9:81"), 1), syscall.ECONNREFUSED)
	s := r.await(t, send.Failed, netip.MustParseAddrPort("127.0.0.9:0"), 1)[0]
	require.Equal(t, syscall.ECONNREFUSED, s.Errno)
	require.NotZero(t, s.Socket.Local.Port())
}

func TestTCPRefusedAttemptsOnOneHeldSocket(t *testing.T) {
	to := unusedPort(t, "127.0.0.1:0")
	r := watchTCP(t, TCPConfig{})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	require.True(t, errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.ECONNREFUSED), "%v", err)
	r.passes(t, 3)
	require.NoError(t, unix.Close(fd))
	r.await(t, send.Failed, to, 1)
}

// blackhole is a route whose packets come back to loopback and end there, for they are for nobody here.
var blackhole = netip.MustParseAddrPort("10.9.0.2:443")

func TestTCPUnansweredAttemptIsOneFailure(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		attempt func() error
		errno   syscall.Errno
	}{
		{"the kernel gives up", func() error { return connectPlainly(t, blackhole, 1) }, syscall.ETIMEDOUT},
		{"the program gives up", func() error {
			_, err := net.DialTimeout("tcp", blackhole.String(), 1500*time.Millisecond)
			return err
		}, syscall.ETIMEDOUT},
		{"the program gives up before the first retransmission", func() error {
			_, err := net.DialTimeout("tcp", blackhole.String(), 100*time.Millisecond)
			return err
		}, syscall.EHOSTUNREACH},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enterNamespace(t, []string{"ip", "route", "add", "10.9.0.0/16", "dev", "lo"})
			r := watchTCP(t, TCPConfig{MinPeriod: 10 * time.Millisecond, Budget: 0.5})
			require.Error(t, tt.attempt())
			s := r.await(t, send.Failed, blackhole, 1)[0]
			require.Equal(t, tt.errno, s.Errno)
			require.Len(t, r.of(blackhole), 1)
			require.NotZero(t, s.Socket.Inode, "a sample saw it trying")
		})
	}
}

func TestTCPUnreachableHost(t *testing.T) {
	enterNamespace(t, []string{"ip", "link", "add", "near", "type", "veth", "peer", "name", "far"},
		[]string{"ip", "address", "add", "10.6.0.1/24", "dev", "near"}, []string{"ip", "link", "set", "near", "up"},
		[]string{"ip", "link", "set", "far", "up"}, []string{"sysctl", "-qw", "net.ipv4.neigh.near.retrans_time_ms=20"})
	r := watchTCP(t, TCPConfig{})
	to := netip.MustParseAddrPort("10.6.0.77:443") // nobody answers ARP
	_, err := net.Dial("tcp", to.String())
	require.ErrorIs(t, err, syscall.EHOSTUNREACH)
	require.Equal(t, syscall.EHOSTUNREACH, r.await(t, send.Failed, to, 1)[0].Errno)
}
