package procfs

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
	"github.com/beaconwatch/beaconwatch/test/need"
)

const (
	sockstat4 = "sockets: used 2817\nTCP: inuse 12 orphan 1 tw 7 alloc 40 mem 9\nUDP: inuse 3 mem 2\nUDPLITE: inuse 1\n" +
		"RAW: inuse 4\nFRAG: inuse 0 memory 0\n"
	sockstat6 = "TCP6: inuse 5\nUDP6: inuse 6\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n"
)

func TestSocketCounts(t *testing.T) {
	tests := []struct {
		name, text string
		want       SocketCounts
		ok         bool
	}{
		{"IPv4", sockstat4, SocketCounts{TCP: 12, TimeWait: 7, UDP: 3, UDPLite: 1, Raw: 4}, true},
		{"IPv6", sockstat6, SocketCounts{TCP: 5, UDP: 6, Raw: 1}, true},
		{"fields in another order", "TCP: tw 1 inuse 2\nUDP: mem 1 inuse 3\n", SocketCounts{TCP: 2, TimeWait: 1, UDP: 3}, true},
		{"without UDP", "TCP: inuse 2\n", SocketCounts{TCP: 2}, false},
		{"without a value", "TCP: inuse\nUDP: inuse 3\n", SocketCounts{}, false},
		{"negative", "TCP: inuse -1\nUDP: inuse 3\n", SocketCounts{}, false},
		{"too large", "TCP: inuse 99999999999999999999\nUDP: inuse 3\n", SocketCounts{}, false},
		{"empty", "", SocketCounts{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got SocketCounts
			require.Equal(t, tt.ok, got.add([]byte(tt.text)))
			if tt.ok {
				require.Equal(t, tt.want, got)
			}
		})
	}
}

// TestSockstatOfANamespace: it is idle until a socket is bound, whatever other namespaces do.
func TestSockstatOfANamespace(t *testing.T) {
	owner, do := threadInNewNetNS(t)
	s, err := New("").OpenSockstat(owner)
	require.NoError(t, err)
	defer s.Close()
	counts := func() (c SocketCounts) {
		require.NoError(t, s.ReadInto(&c))
		return c
	}
	require.True(t, counts().Idle(), "%+v", counts())
	here, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer here.Close()
	require.True(t, counts().Idle(), "a socket of another namespace")

	var none SocketCounts
	tests := []struct {
		name   string
		domain int
		kind   int
		bound  unix.Sockaddr
		want   SocketCounts
	}{
		{"TCP", unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{}, SocketCounts{TCP: 1}},
		{"TCP over IPv6", unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{}, SocketCounts{TCP: 1}},
		{"UDP", unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{}, SocketCounts{UDP: 1}},
		{"UDP over IPv6", unix.AF_INET6, unix.SOCK_DGRAM, &unix.SockaddrInet6{}, SocketCounts{UDP: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fd int
			require.NoError(t, do(func() (err error) {
				if fd, err = unix.Socket(tt.domain, tt.kind|unix.SOCK_CLOEXEC, 0); err != nil {
					return err
				}
				return unix.Bind(fd, tt.bound)
			}))
			if tt.kind == unix.SOCK_STREAM {
				require.NoError(t, unix.Listen(fd, 1))
			}
			require.Equal(t, tt.want, counts())
			require.False(t, counts().Idle())
			require.NoError(t, unix.Close(fd))
			require.Equal(t, none, counts())
		})
	}
	var c SocketCounts
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = s.ReadInto(&c) }))
}

// TestSockstatOutlivesItsProcess: it shows the namespace, not the process.
func TestSockstatOutlivesItsProcess(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		need.Skip(t, "a network namespace: %v", err)
	}
	s, err := New("").OpenSockstat(strconv.Itoa(cmd.Process.Pid))
	require.NoError(t, err)
	defer s.Close()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var c SocketCounts
	require.NoError(t, s.ReadInto(&c))
	require.True(t, c.Idle())
}

func TestSockstatOfAFixture(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "7", "net")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	_, err := New(root).OpenSockstat("7")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sockstat"), []byte(sockstat4), 0o644))
	var c SocketCounts
	s, err := New(root).OpenSockstat("7")
	require.NoError(t, err, "a kernel without IPv6")
	require.NoError(t, s.ReadInto(&c))
	require.Equal(t, SocketCounts{TCP: 12, TimeWait: 7, UDP: 3, UDPLite: 1, Raw: 4}, c)
	require.NoError(t, s.Close())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "sockstat6"), []byte(sockstat6), 0o644))
	s, err = New(root).OpenSockstat("7")
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.ReadInto(&c))
	require.Equal(t, SocketCounts{TCP: 17, TimeWait: 7, UDP: 9, UDPLite: 1, Raw: 5}, c)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sockstat6"), []byte("TCP6: x\n"), 0o644))
	require.ErrorIs(t, s.ReadInto(&c), errSockstat)
}

func FuzzSockstat(f *testing.F) {
	f.Add([]byte(sockstat4))
	f.Add([]byte(sockstat6))
	f.Add([]byte("TCP: inuse"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c SocketCounts
		c.add(text)
		require.LessOrEqual(t, c.TCP, uint64(len(text))<<32)
	})
}

// BenchmarkGate is one look at 50 empty namespaces: by the gate, and by what it saves: dumps of TCP and UDP by sock_diag(7),
// or the tables of /proc.
func BenchmarkGate(b *testing.B) {
	const namespaces = 50
	owners := make([]string, namespaces)
	for i := range owners {
		owners[i], _ = threadInNewNetNS(b)
	}
	proc := New("")
	b.Run("sockstat", func(b *testing.B) {
		gates := make([]*Sockstat, namespaces)
		for i := range gates {
			var err error
			gates[i], err = proc.OpenSockstat(owners[i])
			require.NoError(b, err)
			defer gates[i].Close()
		}
		var c SocketCounts
		b.ReportAllocs()
		for b.Loop() {
			for _, g := range gates {
				if err := g.ReadInto(&c); err != nil || !c.Idle() {
					b.Fatal(err, c)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*namespaces), "ns/namespace")
	})
	b.Run("sock_diag", func(b *testing.B) {
		conns := make([]*sockdiag.Conn, namespaces)
		for i := range conns {
			ns, err := os.Open(filepath.Join("/proc", owners[i], "ns/net"))
			require.NoError(b, err)
			conns[i], err = sockdiag.Dial(sockdiag.Config{NetNS: int(ns.Fd())})
			require.NoError(b, errors.Join(err, ns.Close()))
			defer conns[i].Close()
		}
		drain := func(d *sockdiag.Dump, err error) {
			require.NoError(b, err)
			for s := (sockdiag.Socket{}); d.Receive(); {
				for d.Next(&s) {
				}
			}
			require.NoError(b, d.Err())
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, c := range conns {
				drain(c.DumpTCP(sockdiag.Connections))
				drain(c.DumpUDP(unix.AF_INET, sockdiag.UDPSockets))
				drain(c.DumpUDP(unix.AF_INET6, sockdiag.UDPSockets))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*namespaces), "ns/namespace")
	})
	b.Run("tables", func(b *testing.B) {
		var tables []*NetTable
		for _, owner := range owners {
			for _, name := range []string{"tcp", "tcp6", "udp", "udp6"} {
				table, err := proc.OpenNetTable(owner, name)
				require.NoError(b, err)
				defer table.Close()
				tables = append(tables, table)
			}
		}
		var s NetSocket
		b.ReportAllocs()
		for b.Loop() {
			for _, t := range tables {
				t.Rewind()
				for t.Next(&s) {
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*namespaces), "ns/namespace")
	})
}
