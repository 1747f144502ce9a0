package sockdiag

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// pair is a connection over loopback with its two ends.
type pair struct {
	client, server *net.TCPConn
}

// ends are what tells sockets apart: a local port may be in use for several destinations.
type ends struct {
	local, remote netip.AddrPort
}

func (p pair) ends() ends             { return ends{p.local(), p.remote()} }
func (p pair) local() netip.AddrPort  { return p.client.LocalAddr().(*net.TCPAddr).AddrPort() }
func (p pair) remote() netip.AddrPort { return p.client.RemoteAddr().(*net.TCPAddr).AddrPort() }

// connect makes n connections to a listener on address.
func connect(t testing.TB, address string, n int) []pair {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		need.Skip(t, "no listener on %s: %v", address, err)
	}
	defer l.Close()
	var pairs []pair
	for range n {
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		server, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() {
			client.Close()
			server.Close()
		})
		pairs = append(pairs, pair{client.(*net.TCPConn), server.(*net.TCPConn)})
	}
	return pairs
}

func dial(t testing.TB, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(cfg)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPERM) {
		need.Skip(t, "sock_diag: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// collect reads a whole dump.
func collect(t testing.TB, d *Dump, err error) map[ends]Socket {
	t.Helper()
	require.NoError(t, err)
	found := map[ends]Socket{}
	var s Socket
	for d.Receive() {
		for d.Next(&s) {
			found[ends{s.Local, s.Remote}] = s
		}
	}
	require.NoError(t, d.Err())
	return found
}

// newNamespace returns an open descriptor of a new network namespace and runs setup inside it.
func newNamespace(t *testing.T, setup func()) int {
	t.Helper()
	type result struct {
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine and the namespace it is in
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- result{err: err}
			return
		}
		setup()
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		done <- result{fd, err}
	}()
	r := <-done
	if errors.Is(r.err, unix.EPERM) || errors.Is(r.err, fs.ErrPermission) {
		need.Skip(t, "a network namespace needs CAP_SYS_ADMIN: %v", r.err)
	}
	require.NoError(t, r.err)
	t.Cleanup(func() { unix.Close(r.fd) })
	return r.fd
}
