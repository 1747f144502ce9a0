package source

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// timeServer is the time server's.
var timeServer = netip.MustParseAddrPort("10.77.0.1:123")

// watchTime watches every send from a network namespace, and returns what runs a command in another one beside it.
func watchTime(t *testing.T, cgroup string) (r *record, inside []string) {
	t.Helper()
	if _, err := exec.LookPath("chronyd"); err != nil {
		need.Skip(t, "chrony is not installed: %v", err)
	}
	e, err := NewEBPF(EBPFConfig{Cgroup: cgroup, Idle: time.Second})
	if err != nil {
		need.Skip(t, "%v", err)
	}
	if e.Level() < EverySend {
		require.NoError(t, e.Close())
		need.Skip(t, "refused: %v", e.Missing())
	}
	enterNamespace(t, []string{"ip", "link", "add", "c0", "type", "veth", "peer", "name", "c1"},
		[]string{"ip", "addr", "add", "10.77.0.1/24", "dev", "c0"}, []string{"ip", "link", "set", "c0", "up"})
	inside = neighbour(t, "c1", "10.77.0.2/24")
	return run(t, e, nil), inside
}

// A real time server and two real clients of it, in namespaces of their own: one with a port that the kernel chose, and one that
// speaks from port 123 to port 123, where ports tell nothing. What the server sends are answers, and no beacon of its own.
func TestEBPFTimeServerAndClients(t *testing.T) {
	r, inside := watchTime(t, mountCgroup2(t))
	server := chronyd(t, nil, "local stratum 5", "allow")
	polls := fmt.Sprintf("server %s minpoll -2 maxpoll -2 iburst", timeServer.Addr())
	client := chronyd(t, inside, polls)
	require.Eventually(t, func() bool { return len(by(r, client)) >= 5 }, patience, 10*time.Millisecond)

	hears(t, r)
	symmetric := chronyd(t, inside, polls, "acquisitionport 123")
	require.Eventually(t, func() bool { return len(by(r, symmetric)) >= 5 }, patience, 10*time.Millisecond)
	for _, pid := range []int32{client, symmetric} {
		for _, s := range by(r, pid) {
			require.Equal(t, timeServer, s.Socket.Remote)
			require.EqualValues(t, 48, s.Bytes, "an NTP packet, RFC 5905")
			require.Equal(t, send.Exact, s.Quality)
		}
	}
	require.Empty(t, by(r, server), "the server answers")
	require.Positive(t, r.Stats().Passive)
}

// Without a cgroup2 hierarchy nobody tells who spoke first: bind state and the class of the ports decide, and the quality says so.
func TestEBPFTimeServerAndClientsByPorts(t *testing.T) {
	r, inside := watchTime(t, "")
	server := chronyd(t, nil, "local stratum 5", "allow")
	polls := fmt.Sprintf("server %s minpoll -2 maxpoll -2 iburst", timeServer.Addr())
	client := chronyd(t, inside, polls)
	require.Eventually(t, func() bool { return len(by(r, client)) >= 5 && r.Stats().Passive > 0 }, patience, 10*time.Millisecond)
	require.Empty(t, by(r, server), "from a port below 1024 that it is bound to, to ports that the kernel chose: answers")
	symmetric := chronyd(t, inside, polls, "acquisitionport 123")
	require.Eventually(t, func() bool { return len(by(r, symmetric)) >= 5 }, patience, 10*time.Millisecond)
	for pid, quality := range map[int32]send.Quality{client: send.Exact, symmetric: send.Inferred} {
		for _, s := range by(r, pid) {
			require.Equal(t, timeServer, s.Socket.Remote)
			require.Equal(t, quality, s.Quality)
		}
	}
}

// by are the datagrams of a process that are no answers.
func by(r *record, pid int32) (sent []send.Send) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range only(send.Data, r.sends) {
		if s.Sender == pid {
			sent = append(sent, s)
		}
	}
	return sent
}

// hears sends from ports of our choice until the answer to who spoke first is certain.
func hears(t *testing.T, r *record) {
	t.Helper()
	own, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 77, 0, 1), Port: 9999})
	require.NoError(t, err)
	defer own.Close()
	port := 20000
	require.Eventually(t, func() bool {
		port++
		_, err := own.WriteTo([]byte{1}, &net.UDPAddr{IP: net.IPv4(10, 77, 0, 9), Port: port})
		require.NoError(t, err)
		for _, s := range only(send.Data, r.of(netip.MustParseAddrPort("10.77.0.1:9999"))) {
			if s.Quality == send.Exact {
				return true
			}
		}
		return false
	}, patience, 50*time.Millisecond)
}

// neighbour moves an interface of the test's namespace into another one, with an address, and returns what runs a command there.
func neighbour(t *testing.T, device, address string) (inside []string) {
	t.Helper()
	holder := exec.Command("cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	in, err := holder.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { require.NoError(t, in.Close()); require.NoError(t, holder.Wait()) })
	pid := strconv.Itoa(holder.Process.Pid)
	inside = []string{"nsenter", "-t", pid, "-n"}
	configure(t, []string{"ip", "link", "set", device, "netns", pid})
	configure(t, append(inside, "ip", "addr", "add", address, "dev", device), append(inside, "ip", "link", "set", device, "up"))
	return inside
}

// chronyd runs chronyd(8), which may not touch the clock, until the test ends.
func chronyd(t *testing.T, inside []string, directives ...string) (pid int32) {
	t.Helper()
	args := append(inside, "chronyd", "-n", "-x", "-u", "root", "cmdport 0", "bindcmdaddress /",
		"pidfile "+filepath.Join(t.TempDir(), "pid"))
	args = append(args, directives...)
	cmd := exec.Command(args[0], args[1:]...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	})
	return int32(cmd.Process.Pid)
}
