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

// Connections made = those seen + those whose record was lost, at full speed and with a ring that is far too small.
func TestEveryConnectionIsSeenOrCounted(t *testing.T) {
	for name, tt := range map[string]struct{ ring, connections int }{
		"large ring":       {0, 20000},
		"ring of one page": {os.Getpagesize(), 2000},
	} {
		t.Run(name, func(t *testing.T) {
			tracer := trace(t, Config{Ring: tt.ring})
			var inode uint32
			var opened, ended, bytes int
			inNamespace(t, func(ns uint32) error {
				inode = ns
				cmd := play("many", sink(t, "127.0.0.1:0").String(), strconv.Itoa(tt.connections))
				if err := cmd.Start(); err != nil {
					return err
				}
				if tt.ring == 0 {
					defer drainInto(t, tracer, inode, &opened, &ended, &bytes)()
				}
				return cmd.Wait()
			})
			if tt.ring != 0 {
				drainInto(t, tracer, inode, &opened, &ended, &bytes)()
			}
			c, err := tracer.Counters()
			require.NoError(t, err)
			t.Logf("opened %d, closed %d, lost %d", opened, ended, c.Lost)
			if tt.ring == 0 {
				require.Zero(t, c.Lost)
				require.Equal(t, tt.connections, opened)
				require.Equal(t, tt.connections, bytes)
			} else {
				require.Positive(t, c.Lost)
			}
			// processes of others may have lost records too
			require.GreaterOrEqual(t, opened+ended+int(c.Lost), 2*tt.connections)
			require.LessOrEqual(t, opened+ended, 2*tt.connections)
		})
	}
}

// drainInto counts the events of a namespace on a goroutine until the function returned is called.
func drainInto(t *testing.T, tracer *Tracer, inode uint32, opened, ended, bytes *int) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var e Event
		for {
			ok, err := tracer.Next(&e)
			if err != nil || !ok { // interrupted
				return
			}
			switch {
			case e.NetNS != inode:
			case e.Kind == Opened:
				*opened++
			case e.Kind == Closed:
				*ended++
				*bytes += int(e.Size)
			}
		}
	}()
	return func() { tracer.Interrupt(); <-done }
}
