package source

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

func watchProc(t *testing.T, protocols ...send.Protocol) *record {
	t.Helper()
	proc, err := NewProcNet(ProcNetConfig{Protocols: protocols, MinPeriod: 5 * time.Millisecond, Budget: 1})
	return run(t, proc, err)
}

func TestProcNetIsTheFloorForTCP(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			to := server(t, address, drain)
			old := dial(t, to)
			r := watchProc(t, send.TCP)
			require.NotZero(t, r.Stats().TakenOver)
			c := dial(t, to)
			open := r.await(t, send.Open, to, 1)[0]
			require.Equal(t, c.LocalAddr().(*net.TCPAddr).AddrPort(), open.Socket.Local)
			require.Equal(t, send.Inferred, open.Quality)
			require.NotZero(t, open.Socket.Inode)
			require.Zero(t, open.Socket.Cookie, "these tables have none")
			write(t, c, 100)
			c.Close()
			r.await(t, send.Close, to, 1)
			old.Close()
			r.await(t, send.Close, to, 2)
			require.Len(t, r.of(to), 3)
			require.Zero(t, bytesOf(r.of(to)))
			require.NotZero(t, r.Stats().Passive)
		})
	}
}

func TestProcNetSeesFailedAttempts(t *testing.T) {
	t.Parallel()
	enterNamespace(t, []string{"ip", "route", "add", "10.9.0.0/16", "dev", "lo"})
	proc, err := NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.TCP}, MinPeriod: 5 * time.Millisecond,
		Budget: 1})
	r := run(t, proc, err)
	_, err = net.DialTimeout("tcp", blackhole.String(), 1500*time.Millisecond) // one retransmission
	require.Error(t, err)
	s := r.await(t, send.Failed, blackhole, 1)[0]
	require.Equal(t, syscall.ETIMEDOUT, s.Errno)
	require.Len(t, r.of(blackhole), 1)
}

func TestProcNetWatchesWhatSockDiagLacks(t *testing.T) {
	tests := []struct {
		name     string
		watch    send.Protocol
		kind, ip int
		to       netip.AddrPort
		want     send.Protocol
	}{
		{"raw ICMPv6", send.Raw, unix.SOCK_RAW, unix.IPPROTO_ICMPV6, netip.MustParseAddrPort("[::1]:0"), send.Protocol(unix.IPPROTO_ICMPV6)},
		{"raw ICMP", send.Raw, unix.SOCK_RAW, unix.IPPROTO_ICMP, netip.MustParseAddrPort("127.0.0.31:0"), send.ICMP},
		{"raw OSPF", send.Raw, unix.SOCK_RAW, 89, netip.MustParseAddrPort("127.0.0.32:0"), send.Protocol(89)},
		{"UDP-Lite", send.UDPLite, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE, netip.MustParseAddrPort("127.0.0.33:99"),
			send.UDPLite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := watchProc(t, tt.watch)
			family := unix.AF_INET
			var from, to unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, nil
			if tt.to.Addr().Is6() {
				family, from, to = unix.AF_INET6, &unix.SockaddrInet6{Addr: tt.to.Addr().As16()}, &unix.SockaddrInet6{Addr: tt.to.Addr().As16()}
			} else {
				to = &unix.SockaddrInet4{Port: int(tt.to.Port()), Addr: tt.to.Addr().As4()}
			}
			fd, err := unix.Socket(family, tt.kind|unix.SOCK_CLOEXEC, tt.ip)
			if err != nil {
				need.Skip(t, "socket: %v", err)
			}
			require.NoError(t, unix.Bind(fd, from))
			r.passes(t, 2)
			require.NotZero(t, r.Stats().Unconnected)
			require.NoError(t, unix.Connect(fd, to))
			require.Eventually(t, func() bool { return len(r.of(tt.to)) > 0 }, patience, time.Millisecond)
			require.NoError(t, unix.Close(fd))
			end := r.await(t, send.Close, tt.to, 1)[0]
			require.Equal(t, tt.want, end.Socket.Protocol)
			require.Len(t, r.of(tt.to), 2)
		})
	}
}

// tables is a proc file system of a kernel with these socket tables.
func tables(t *testing.T, content map[string]string) procfs.FS {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "thread-self", "net"), 0o755))
	for name, text := range content {
		require.NoError(t, os.WriteFile(filepath.Join(root, "thread-self", "net", name), []byte(text), 0o644))
	}
	return procfs.New(root)
}

const rawHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"

func TestProcNetOfAKernelWithoutSomeTables(t *testing.T) {
	proc, err := NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.UDPLite, send.Raw},
		FS: tables(t, map[string]string{"raw": rawHeader}), MinPeriod: time.Millisecond})
	r := run(t, proc, err)
	require.Equal(t, "raw,udplite", r.Stats().Protocol)
	r.passes(t, 2)
	_, err = NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.UDPLite}, FS: tables(t, nil)})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorIs(t, err, syscall.ENOENT)
}

func TestProcNetCountsRowsThatMakeNoSense(t *testing.T) {
	proc, err := NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.Raw}, MinPeriod: time.Millisecond,
		FS: tables(t, map[string]string{"raw": rawHeader + "   1: nonsense\n"})})
	r := run(t, proc, err)
	require.NotZero(t, r.Stats().Malformed)
}

func TestProcNetBoundsWhatItTracks(t *testing.T) {
	to := server(t, "127.0.0.1:0", drain)
	for range 20 {
		dial(t, to)
	}
	proc, err := NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.TCP}, MaxSockets: 5})
	r := run(t, proc, err)
	require.LessOrEqual(t, r.Stats().Sockets, uint64(5))
	require.NotZero(t, r.Stats().Untracked)
}

func TestProcNetConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]ProcNetConfig{"nothing to do": {}, "SCTP": {Protocols: []send.Protocol{send.SCTP}},
		"budget": {Protocols: []send.Protocol{send.Raw}, Budget: 3}} {
		_, err := NewProcNet(cfg)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, ErrRefused, name)
	}
}
