package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func init() { parts["datagrams"] = datagrams }

// datagrams sends so many datagrams, of 10 to 19 bytes in turn, to two addresses in turn, from one unconnected socket and as many
// threads as asked for.
func datagrams(args []string) error {
	var to [2]netip.AddrPort
	for i := range to {
		if err := to[i].UnmarshalText([]byte(args[i])); err != nil {
			return err
		}
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	threads, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	errs := make([]error, threads)
	var all sync.WaitGroup
	for thread := range threads {
		all.Go(func() {
			payload := make([]byte, 19)
			for i := thread; i < n && errs[thread] == nil; i += threads {
				peer := to[i%2]
				errs[thread] = unix.Sendto(fd, payload[:10+i%10], 0,
					&unix.SockaddrInet4{Addr: peer.Addr().As4(), Port: int(peer.Port())})
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// bound returns the addresses of two UDP sockets nobody reads, which the kernel therefore drops datagrams for.
func bound(t testing.TB) (at [2]string) {
	for i := range at {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return at
		}
		t.Cleanup(func() { c.Close() })
		at[i] = c.LocalAddr().String()
	}
	return at
}

// stream is what totals are kept by.
type stream struct {
	cookie uint64
	pid    int32
	to     string
}

// 100 000 datagrams of 10 processes: exact per process and destination, whatever was folded, in a namespace of their own; and the
// same from one socket shared by threads, which race for the place their destinations are noted in.
func TestDatagramsAreExact(t *testing.T) {
	for name, tt := range map[string]struct{ processes, datagrams, threads int }{
		"ten processes":               {10, 10000, 1},
		"eight threads of one socket": {1, 40000, 8},
	} {
		t.Run(name, func(t *testing.T) {
			tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
			got := make(map[stream]*Event)
			want := make(map[string]uint64) // process and destination → bytes
			var inode uint32
			inNamespace(t, func(ns uint32) error {
				inode = ns
				to := bound(t)
				var running []*exec.Cmd
				for range tt.processes {
					cmd := play("datagrams", to[0], to[1], strconv.Itoa(tt.datagrams), strconv.Itoa(tt.threads))
					if err := cmd.Start(); err != nil {
						return err
					}
					running = append(running, cmd)
					for i := range tt.datagrams {
						want[fmt.Sprint(cmd.Process.Pid, " ", to[i%2])] += uint64(10 + i%10)
					}
				}
				var errs []error
				for _, cmd := range running {
					errs = append(errs, cmd.Wait())
				}
				return errors.Join(errs...)
			})
			var sends uint64
			read(t, tracer, func(e *Event) bool {
				if e.NetNS != inode || e.Protocol != unix.IPPROTO_UDP {
					return false
				}
				require.True(t, e.Remote.IsValid(), "a destination was lost")
				key := stream{e.Cookie, e.Owner.PID, e.Remote.String()}
				if last := got[key]; last == nil || last.Sends < e.Sends {
					keep := *e
					got[key] = &keep
				}
				sends = 0
				for _, e := range got {
					sends += e.Sends
				}
				return sends == uint64(tt.processes*tt.datagrams)
			})
			sum := make(map[string]uint64)
			for key, e := range got {
				sum[fmt.Sprint(key.pid, " ", key.to)] += e.Bytes
			}
			require.Equal(t, want, sum)
		})
	}
}

// A burst is told by its first send at once, and by Flush; not by a record for each.
func TestBurstIsFolded(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), Window: time.Second})
	to := bound(t)
	before := now()
	require.NoError(t, datagrams([]string{to[0], to[0], "1000", "1"}))
	after := now()
	var records int
	var last Event
	read(t, tracer, func(e *Event) bool {
		if e.Remote.String() != to[0] {
			return false
		}
		if e.Kind == Sent {
			records++
		}
		last = *e
		return e.Sends == 1000
	})
	require.Equal(t, 1, records)
	require.Equal(t, Totals, last.Kind)
	require.Equal(t, uint64(14500), last.Bytes)
	require.True(t, before <= last.At && last.At <= after+2*int64(Jiffy()), "it is dated by the jiffy")
}

func TestIdleStreamsAreForgotten(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), Window: time.Millisecond, Idle: 100 * time.Millisecond})
	to := bound(t)
	require.NoError(t, datagrams([]string{to[0], to[0], "10", "1"}))
	read(t, tracer, func(e *Event) bool {
		return e.Remote.String() == to[0] && e.Kind == Forgotten && e.Sends == 10
	})
	key := make([]byte, keySize)
	var slot uint32
	index := tracer.maps.index.Iterate()
	for index.Next(&key, &slot) {
		require.NotEqual(t, portOf(t, to[0]), binary.BigEndian.Uint16(key[atRemotePort:]))
	}
	require.NoError(t, index.Err())
	require.NoError(t, datagrams([]string{to[0], to[0], "10", "1"}))
	read(t, tracer, func(e *Event) bool { return e.Remote.String() == to[0] && e.Kind == Sent && e.Sends == 1 })
}

func portOf(t *testing.T, address string) uint16 {
	at, err := netip.ParseAddrPort(address)
	require.NoError(t, err)
	return at.Port()
}

// What does not fit the table is reported send by send, and stays exact.
func TestStreamsBeyondTheTable(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), MaxStreams: 1})
	to := bound(t)
	const n = 100
	require.NoError(t, datagrams([]string{to[0], to[1], strconv.Itoa(2 * n), "1"}))
	bytes := make(map[string]uint64)
	folded := make(map[string]uint64)
	read(t, tracer, func(e *Event) bool {
		if e.Remote.String() != to[0] && e.Remote.String() != to[1] {
			return false
		}
		if e.Untracked {
			require.Equal(t, e.Size, e.Bytes)
			bytes[e.Remote.String()] += e.Bytes
		} else {
			folded[e.Remote.String()] = e.Bytes
		}
		return bytes[to[0]]+folded[to[0]] == n*14 && bytes[to[1]]+folded[to[1]] == n*15
	})
	c, err := tracer.Counters()
	require.NoError(t, err)
	require.GreaterOrEqual(t, c.Untracked, uint64(n))
}

// Lost records lose no bytes: the totals that follow have them.
func TestLostRecordsLoseNoBytes(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), Ring: os.Getpagesize(), Window: time.Nanosecond})
	to := bound(t)
	require.NoError(t, datagrams([]string{to[0], to[0], "5000", "1"}))
	c, err := tracer.Counters()
	require.NoError(t, err)
	require.Positive(t, c.Lost)
	read(t, tracer, func(e *Event) bool {
		return e.Remote.String() == to[0] && e.Sends == 5000 && e.Bytes == 72500
	})
}

func TestMPTCPIsCountedOnce(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		need.Skip(t, "MPTCP: %v", err)
	}
	to, name := mptcpSink(t)
	require.NoError(t, unix.Connect(fd, to))
	_, err = unix.Write(fd, make([]byte, 4321))
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	var sends uint64
	read(t, tracer, func(e *Event) bool {
		if e.Remote.String() != name {
			return false
		}
		switch e.Kind {
		case Sent, Totals:
			require.Equal(t, uint64(4321), e.Bytes)
			sends = e.Sends
		case Closed:
			require.True(t, e.MPTCP, "the subflow says that its bytes are counted elsewhere")
			require.Zero(t, e.Sends)
			require.Equal(t, uint64(4321), e.Size)
			return sends == 1
		}
		return false
	})
}

// mptcpSink accepts one MPTCP connection and reads it to its end.
func mptcpSink(t *testing.T) (unix.Sockaddr, string) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	require.NoError(t, err)
	require.NoError(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(l, 1))
	name, err := unix.Getsockname(l)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fd, _, err := unix.Accept(l)
		if err != nil {
			return
		}
		buffer := make([]byte, 8192)
		for n := 1; n > 0; {
			n, _ = unix.Read(fd, buffer)
		}
		_ = unix.Close(fd)
	}()
	t.Cleanup(func() { <-done; require.NoError(t, unix.Close(l)) })
	return name, fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
}
