package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// namespace is a network namespace, kept alive by a descriptor. nil is the namespace the tests run in.
type namespace struct{ file *os.File }

// Addresses of the outside, which the watched host reaches through a router that is the outside itself.
const (
	public4   = "198.51.100.7"  // TEST-NET-2
	public6   = "2001:db8:1::"  // documentation, and its lower half is zero
	private4  = "10.20.30.40"   // behind the router
	blackhole = "203.0.113.113" // TEST-NET-3: what is sent there is lost
)

// network makes two namespaces joined by a veth(4) pair: a host to watch, and the outside where it sends to.
func network(t *testing.T) (host, outside *namespace) {
	t.Helper()
	host, outside = newNamespace(t), newNamespace(t)
	host.ip(t, `link set lo up
link add eth0 type veth peer name eth0 netns %s
link set eth0 up
addr add 10.9.0.1/30 dev eth0
addr add fd00:9::1/64 dev eth0 nodad`, outside.path())
	outside.ip(t, `link set lo up
link set eth0 up
addr add 10.9.0.2/30 dev eth0
addr add fd00:9::2/64 dev eth0 nodad
addr add %s/32 dev lo
addr add %s/32 dev lo
addr add %s/128 dev lo nodad
route add blackhole 203.0.113.0/24`, public4, private4, public6)
	host.ip(t, `route add default via 10.9.0.2
route add default via fd00:9::2`)
	return host, outside
}

// quiet is a namespace with a loopback and nothing else, where it can be had: what runs there does not need it, but is
// spared the traffic of this host.
func quiet(t *testing.T) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	n := newNamespace(t)
	n.ip(t, "link set lo up")
	return n
}

// newNamespace makes a namespace without interfaces but a loopback that is down.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		need.Skip(t, "network namespaces need root")
	}
	var file *os.File
	var err error
	onThread(t, func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			file, err = os.Open("/proc/thread-self/ns/net")
		}
	})
	if err != nil {
		need.Skip(t, "no network namespace: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	return &namespace{file}
}

// path names the namespace for other processes.
func (n *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// do runs f on a thread in the namespace: sockets it makes and processes it starts are born there.
func (n *namespace) do(t *testing.T, f func()) {
	t.Helper()
	if n == nil {
		f()
		return
	}
	onThread(t, func() {
		require.NoError(t, unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET))
		f()
	})
}

// onThread runs f, which may leave the network namespace, on one thread and brings the thread back. No thread may be
// given up instead: its children would die with it (PR_SET_PDEATHSIG).
func onThread(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	require.NoError(t, err)
	defer own.Close()
	defer func() {
		if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // the thread is lost in the namespace
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// ip runs the lines as ip(8) commands inside the namespace.
func (n *namespace) ip(t *testing.T, format string, a ...any) {
	t.Helper()
	path, err := exec.LookPath("ip")
	if err != nil {
		need.Skip(t, "ip(8) of iproute2 is not installed: %v", err)
	}
	cmd := exec.Command(path, "-batch", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(format, a...) + "\n")
	var out []byte
	n.do(t, func() { out, err = cmd.CombinedOutput() })
	require.NoError(t, err, "%s", out)
}
