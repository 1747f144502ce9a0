package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// mountCgroup2 mounts a cgroup2 hierarchy until the test ends.
func mountCgroup2(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "source-cgroup2-")
	require.NoError(t, err)
	if err := unix.Mount("none", dir, "cgroup2", 0, ""); err != nil {
		os.Remove(dir)
		need.Skip(t, "mount cgroup2: %v", err)
	}
	t.Cleanup(func() {
		require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
		require.NoError(t, os.Remove(dir))
	})
	return dir
}

// newEBPF returns a source at that level, with everything it may have.
func newEBPF(t testing.TB, level Level) *EBPF {
	t.Helper()
	e, err := NewEBPF(EBPFConfig{MaxLevel: level, Cgroup: mountCgroup2(t)})
	if errors.Is(err, ErrRefused) {
		need.Skip(t, "no source: %v", err)
	}
	require.NoError(t, err)
	if e.Level() != level || len(e.Missing()) > 0 {
		require.NoError(t, e.Close())
		need.Skip(t, "level %d, refused: %v", e.Level(), e.Missing())
	}
	return e
}

// oneShot is set, to an address, for a process of this binary that is to send there as many bytes as its id has digits, times
// 100, and to exit.
const oneShot = "BEACONWATCH_ONE_SHOT"

func TestOneShotProcess(t *testing.T) {
	to := os.Getenv(oneShot)
	if to == "" {
		t.Skip("only run as a process of other tests")
	}
	network, address, _ := strings.Cut(to, " ")
	c, err := net.Dial(network, address)
	require.NoError(t, err)
	_, err = c.Write(make([]byte, oneShotBytes(os.Getpid())))
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func oneShotBytes(pid int) int { return 100 * len(strconv.Itoa(pid)) }

// shoot runs n such processes and returns what each has sent.
func shoot(t testing.TB, n int, network string, to netip.AddrPort) map[int32]uint64 {
	t.Helper()
	sent := make(map[int32]uint64)
	for range n {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestOneShotProcess$")
		cmd.Env = append(os.Environ(), oneShot+"="+network+" "+to.String())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		sent[int32(cmd.Process.Pid)] += uint64(oneShotBytes(cmd.Process.Pid))
	}
	return sent
}

func bySender(sends []send.Send) map[int32]uint64 {
	sum := make(map[int32]uint64)
	for _, s := range sends {
		if s.Kind == send.Data {
			sum[s.Sender] += s.Bytes
		}
	}
	return sum
}

// One-shot processes in another namespace, with a sampler beside that reads the same sockets: attributed, exact, and once.
func TestEBPFOneShotProcesses(t *testing.T) {
	for _, level := range []Level{Connections, EverySend} {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			e := newEBPF(t, level)
			enterNamespace(t)
			r := run(t, e, nil)
			besides(t, e, r)
			to := server(t, "127.0.0.1:0", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
			want := shoot(t, 50, "tcp", to)
			r.await(t, send.Close, to, 50)
			require.Equal(t, want, bySender(r.of(to)))
			require.Len(t, only(send.Open, r.of(to)), 50)
			require.NotZero(t, r.of(to)[0].Socket.NetNS, "in a namespace other than the sensor's")
		})
	}
}

// besides runs a TCP sampler in the namespace of the test, whose sends join those of e.
func besides(t *testing.T, e *EBPF, r *record) {
	t.Helper()
	tcp, err := NewTCP(TCPConfig{MinPeriod: 5 * time.Millisecond, Budget: 0.5})
	if errors.Is(err, ErrRefused) {
		need.Skip(t, "no sampler: %v", err)
	}
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	emit := e.Backfill(func(s send.Send) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sends = append(r.sends, s)
	})
	go func() { done <- tcp.Run(ctx, emit) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	(&record{runner: tcp}).passes(t, 1)
}

// What tcp_info says at the end is what was told, be it from sends, from the end or from a sampler in between.
func TestEBPFAgreesWithTCPInfo(t *testing.T) {
	for _, level := range []Level{Connections, EverySend} {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			enterNamespace(t)
			to := server(t, "127.0.0.1:0", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
			old := dial(t, to) // before the programs
			e := newEBPF(t, level)
			r := run(t, e, nil)
			besides(t, e, r)
			write(t, old, 111)

			c := dial(t, to)
			for range 20 {
				write(t, c, 1000)
				require.Eventually(t, func() bool { return queued(t, c) == 0 }, patience, time.Millisecond)
			}
			total := sentBytes(t, c)
			require.Equal(t, uint64(20000), total)
			local := c.LocalAddr().(*net.TCPAddr).AddrPort()
			require.NoError(t, c.Close())
			r.await(t, send.Close, local, 1)
			require.Equal(t, total, bytesOf(r.of(local)))
			require.Equal(t, map[int32]uint64{int32(os.Getpid()): total}, bySender(r.of(local)))

			before := old.LocalAddr().(*net.TCPAddr).AddrPort()
			require.NoError(t, old.Close())
			r.await(t, send.Close, before, 1)
			require.Equal(t, uint64(111), bytesOf(r.of(before)), "the sampler tells of what was there before")
		})
	}
}

func sentBytes(t *testing.T, c *net.TCPConn) (sent uint64) {
	control(t, c, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			sent = info.Bytes_sent - info.Bytes_retrans
		}
		return err
	})
	return sent
}

func queued(t *testing.T, c *net.TCPConn) (n int) {
	control(t, c, func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		return err
	})
	return n
}

func control(t *testing.T, c *net.TCPConn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	var failure error
	require.NoError(t, raw.Control(func(fd uintptr) { failure = f(int(fd)) }))
	require.NoError(t, failure)
}

// registered returns a registered port that is this process's own: the programs see the tests of others as well.
func registered() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(10_000+os.Getpid()%20_000))
}

func TestEBPFDatagrams(t *testing.T) {
	e := newEBPF(t, EverySend)
	enterNamespace(t)
	r := run(t, e, nil)
	// a server on a registered port answers a client
	l, err := net.ListenPacket("udp4", registered().String())
	require.NoError(t, err)
	defer l.Close()
	to := l.LocalAddr().(*net.UDPAddr).AddrPort()
	c, err := net.Dial("udp4", to.String())
	require.NoError(t, err)
	defer c.Close()
	client := c.LocalAddr().(*net.UDPAddr).AddrPort()
	buffer := make([]byte, 100)
	for range 30 {
		write(t, c, 40)
		_, from, err := l.ReadFrom(buffer)
		require.NoError(t, err)
		_, err = l.WriteTo(buffer[:90], from)
		require.NoError(t, err)
		_, err = c.Read(buffer)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return bytesOf(r.of(client)) == 30*40 }, patience, time.Millisecond)
	for _, s := range r.of(client) {
		require.Equal(t, to, s.Socket.Remote, "the answers are not outbound")
		require.Equal(t, int32(os.Getpid()), s.Sender)
	}
	require.Eventually(t, func() bool { return r.Stats().Passive > 0 }, patience, time.Millisecond)
	require.Equal(t, send.Exact, r.of(client)[0].Quality)

	want := shoot(t, 20, "udp4", to)
	require.Eventually(t, func() bool { return len(bySender(r.of(to))) == 21 }, patience, time.Millisecond)
	got := bySender(r.of(to))
	delete(got, int32(os.Getpid()))
	require.Equal(t, want, got)
}

func TestEBPFRefusedConnection(t *testing.T) {
	e := newEBPF(t, Connections)
	enterNamespace(t)
	r := run(t, e, nil)
	to := registered() // nobody listens
	_, err := net.Dial("tcp", to.String())
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	failed := r.await(t, send.Failed, to, 1)[0]
	require.Equal(t, unix.ECONNREFUSED, failed.Errno)
	require.Equal(t, int32(os.Getpid()), failed.Sender)
}

func TestEBPFConfig(t *testing.T) {
	for name, cfg := range map[string]EBPFConfig{
		"no such level": {MaxLevel: 1}, "too few sockets": {MaxSockets: -1}, "too fast": {Period: 1}, "too idle": {Idle: 1},
	} {
		_, err := NewEBPF(cfg)
		require.ErrorContains(t, err, "ebpf: level", name)
	}
}

// The local port range decides what is ephemeral; the file is there on every Linux.
func TestEphemeralFrom(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv4", "ip_local_port_range"))
	require.NoError(t, err)
	require.Equal(t, string(bytes.Fields(text)[0]), strconv.Itoa(int(ephemeralFrom())))
}
