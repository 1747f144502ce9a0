package source

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// runner is a source.
type runner interface {
	Run(context.Context, Emit) error
	Stats() Stats
}

// record is what a source emitted.
type record struct {
	runner
	mu    sync.Mutex
	sends []send.Send // guarded by mu
}

// run runs a source until the test ends and returns its record, once it has taken over what was there.
func run(t testing.TB, source runner, err error) *record {
	t.Helper()
	if errors.Is(err, ErrRefused) {
		need.Skip(t, "no source: %v", err)
	}
	require.NoError(t, err)
	r := &record{runner: source}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- source.Run(ctx, func(s send.Send) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.sends = append(r.sends, s)
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.False(t, source.Stats().Active)
	})
	require.Eventually(t, func() bool { return r.Stats().Samples >= 1 }, patience, time.Millisecond)
	return r
}

// passes waits until n more complete samples began and ended.
func (r *record) passes(t testing.TB, n uint64) {
	t.Helper()
	want := r.Stats().Samples + n
	require.Eventually(t, func() bool { return r.Stats().Samples >= want }, patience, time.Millisecond)
}

// of returns the sends whose local or remote end is at.
func (r *record) of(at netip.AddrPort) []send.Send {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []send.Send
	for _, s := range r.sends {
		if s.Socket.Remote == at || s.Socket.Local == at {
			found = append(found, s)
		}
	}
	return found
}

// await waits until n sends of that kind to or from at are there and returns them.
func (r *record) await(t testing.TB, kind send.Kind, at netip.AddrPort, n int) []send.Send {
	t.Helper()
	var found []send.Send
	require.Eventually(t, func() bool {
		found = only(kind, r.of(at))
		return len(found) >= n
	}, patience, time.Millisecond, "%v of %v", kind, at)
	require.Len(t, found, n)
	return found
}

func only(kind send.Kind, sends []send.Send) (found []send.Send) {
	for _, s := range sends {
		if s.Kind == kind {
			found = append(found, s)
		}
	}
	return found
}

func bytesOf(sends []send.Send) (sum uint64) {
	for _, s := range sends {
		sum += s.Bytes
	}
	return sum
}

// server accepts connections until the test ends; handle has each for itself.
func server(t testing.TB, address string, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		need.Skip(t, "no listener on %s: %v", address, err)
	}
	var handlers sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		handlers.Wait()
	})
	handlers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handlers.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func dial(t testing.TB, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func write(t testing.TB, c net.Conn, n int) {
	t.Helper()
	_, err := c.Write(make([]byte, n))
	require.NoError(t, err)
}

// enterNamespace puts the test into a network namespace of its own and configures it by commands. The thread stays locked
// and ends with the test, and the namespace with it.
func enterNamespace(t *testing.T, commands ...[]string) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		need.Skip(t, "a network namespace needs CAP_SYS_ADMIN: %v", err)
	}
	configure(t, []string{"ip", "link", "set", "lo", "up"})
	configure(t, commands...)
}

// configure runs commands, each with its arguments, in the namespace of the test.
func configure(t *testing.T, commands ...[]string) {
	t.Helper()
	for _, c := range commands {
		if _, err := exec.LookPath(c[0]); err != nil {
			need.Skip(t, "configuring a network namespace: %v", err)
		}
		out, err := exec.Command(c[0], c[1:]...).CombinedOutput()
		require.NoError(t, err, "%v: %s", c, out)
	}
}
