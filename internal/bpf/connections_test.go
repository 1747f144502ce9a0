package bpf

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	parts["one-shot"] = oneShot
	parts["many"] = many
}

// oneShot connects to an address, writes so many bytes in one call and exits; "reset" has the connection end in a reset.
func oneShot(args []string) error {
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if len(args) > 2 {
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
	}
	if _, err := c.Write(make([]byte, size)); err != nil {
		return err
	}
	return c.Close()
}

// many makes so many connections to an address, one after the other, and sends 1 byte on each.
func many(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		// a reset leaves no TIME_WAIT, so local ports do not run out
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return err
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			return err
		}
		if _, err := unix.Write(fd, []byte{1}); err != nil {
			return err
		}
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	return nil
}

// sink listens on a loopback address, reads all connections to their end and answers each with a byte.
func sink(t testing.TB, address string) net.Addr {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = c.Write([]byte{1})
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr()
}

func TestConnection(t *testing.T) {
	tracer := trace(t, Config{})
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(listen, func(t *testing.T) {
			to := sink(t, listen)
			c, err := net.Dial("tcp", to.String())
			require.NoError(t, err)
			_, err = c.Write(make([]byte, 1234))
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 10))
			require.NoError(t, err)
			cookie := cookieOf(t, c.(*net.TCPConn))
			local := c.LocalAddr().String()
			require.NoError(t, c.Close())

			var opened, ended Event
			read(t, tracer, func(e *Event) bool {
				require.NotEqual(t, to.String(), e.Local.String(), "the accepted end was not opened from here")
				if e.Cookie == cookie && e.Kind == Opened {
					opened = *e
				}
				if e.Cookie == cookie && e.Kind == Closed {
					ended = *e
				}
				return ended.Kind != 0
			})
			require.Equal(t, local, opened.Local.String())
			for _, e := range []Event{opened, ended} {
				require.Equal(t, int32(os.Getpid()), e.Owner.PID)
				require.Equal(t, uint32(os.Getuid()), e.Owner.UID)
				require.Equal(t, to.String(), e.Remote.String())
				require.Equal(t, startTicks(t), e.Owner.Start/1e7)
				require.True(t, e.Connected)
				require.Less(t, e.ConnectAt, e.At)
				require.Equal(t, namespaceInode(t), e.NetNS)
			}
			require.Equal(t, local, ended.Local.String(), "the port is remembered though the kernel has freed it")
			require.Equal(t, uint64(1234), ended.Size)
			require.Contains(t, []uint64{1, 2}, ended.Received, "the peer's FIN may count")
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	tracer := trace(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	to := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = net.Dial("tcp", to)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	read(t, tracer, func(e *Event) bool {
		if e.Remote.String() != to {
			return false
		}
		require.Equal(t, Closed, e.Kind)
		require.False(t, e.Connected)
		require.Equal(t, syscall.ECONNREFUSED, e.Errno)
		require.Equal(t, int32(os.Getpid()), e.Owner.PID)
		return true
	})
}

// The shape of most beacons: a process connects, sends and is gone at once. In another network namespace, half of them ending
// in a reset, which empties what the destroy notice tells.
func TestOneShotProcesses(t *testing.T) {
	processes := 1000
	if racing {
		processes = 100
	}
	tracer := trace(t, Config{})
	type sent struct {
		pid  int32
		size uint64
	}
	want := make(map[sent]bool)
	var inode uint32
	inNamespace(t, func(ns uint32) error {
		inode = ns
		to := sink(t, "127.0.0.1:0")
		for i := range processes {
			args := []string{to.String(), strconv.Itoa(100 + i)}
			if i%2 == 1 {
				args = append(args, "reset")
			}
			cmd := play("one-shot", args...)
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("process %d: %w", i, err)
			}
			want[sent{int32(cmd.Process.Pid), uint64(100 + i)}] = true
		}
		return nil
	})
	require.Len(t, want, processes)
	read(t, tracer, func(e *Event) bool {
		if e.Kind == Closed && e.NetNS == inode {
			delete(want, sent{e.Owner.PID, e.Size})
		}
		return len(want) == 0
	})
	c, err := tracer.Counters()
	require.NoError(t, err)
	require.Zero(t, c)
}

// Records made = those seen + those lost, at full speed, with sends and without, and with a ring that is far too small.
func TestEveryConnectionIsSeenOrCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		sends             bool
		ring, connections int
	}{
		"connections":                        {false, 0, 20000},
		"connections, with a ring of a page": {false, os.Getpagesize(), 2000},
		"sends":                              {true, 0, 20000},
		"sends, with a ring of a page":       {true, os.Getpagesize(), 2000},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Ring: tt.ring, Sends: tt.sends}
			records := 2 // opened and closed
			if tt.sends {
				cfg.Cgroup = cgroup2(t)
				records++
			}
			tracer := trace(t, cfg)
			var seen tally
			inNamespace(t, func(ns uint32) error {
				cmd := play("many", sink(t, "127.0.0.1:0").String(), strconv.Itoa(tt.connections))
				if err := cmd.Start(); err != nil {
					return err
				}
				seen.inode = ns
				if tt.ring == 0 {
					defer seen.drain(t, tracer)()
				}
				return cmd.Wait()
			})
			seen.drain(t, tracer)() // what is left
			c, err := tracer.Counters()
			require.NoError(t, err)
			t.Logf("opened %d, sent %d, closed %d, lost %d", seen.opened, seen.sent, seen.closed, c.Lost)
			if tt.ring == 0 {
				require.Zero(t, c.Lost)
				require.Zero(t, c.Untracked, "slots come back in time")
				require.Equal(t, tt.connections, seen.opened)
				require.Equal(t, tt.connections, seen.bytes)
			} else {
				require.Positive(t, c.Lost)
			}
			all := seen.opened + seen.sent + seen.closed
			require.GreaterOrEqual(t, all+int(c.Lost), records*tt.connections, "processes of others may have lost records too")
			require.LessOrEqual(t, all, records*tt.connections)
		})
	}
}

// tally counts the records of a namespace.
type tally struct {
	inode                       uint32
	opened, sent, closed, bytes int
}

// drain counts on a goroutine until the function returned is called, and all that is there then.
func (n *tally) drain(t *testing.T, tracer *Tracer) (stop func()) {
	ending, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var e Event
		for last := false; !last; {
			select {
			case <-ending:
				last = true
			default:
			}
			if err := tracer.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Error(err)
				return
			}
			for {
				ok, err := tracer.Next(&e)
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					break
				}
				n.count(&e)
			}
			if err := tracer.Flush(now(), func(*Event) {}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	return func() { close(ending); <-done }
}

func (n *tally) count(e *Event) {
	switch {
	case e.NetNS != n.inode:
	case e.Kind == Opened:
		n.opened++
	case e.Kind == Sent:
		n.sent++
	case e.Kind == Closed:
		n.closed++
		n.bytes += int(e.Size)
	}
}
