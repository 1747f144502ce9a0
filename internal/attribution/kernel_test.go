package attribution

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// verdicts is what the helper that has a kernel socket reports: the path of the owner's program at each step.
type verdicts struct {
	FromBelow               string // after many scans of a PID namespace that is not the initial one
	First, Second           string // after one and after two scans of everything
	Named, Strange          string // its network namespace given by inode, and a namespace without a process
	NotRoots, Closed, After string
	InFlight, Received      string
	FullScans               uint64
}

// TestKernelSocket has the kernel open a socket, of a VXLAN device, in namespaces of its own. There the helper sees every
// process that could hold it, although not every process of the host; that one condition is set aside for the test, after
// it has been shown to hold the verdict back.
func TestKernelSocket(t *testing.T) {
	need.Root(t)
	if _, err := exec.LookPath("ip"); err != nil {
		need.Skip(t, "iproute2: %v", err)
	}
	cmd := inNamespaces(helper("kernel"), syscall.CLONE_NEWNET|syscall.CLONE_NEWPID|syscall.CLONE_NEWNS)
	var got verdicts
	report(t, cmd, &got)
	require.Equal(t, verdicts{Second: process.Kernel, Named: process.Kernel, InFlight: process.Kernel, Received: got.Received,
		FullScans: got.FullScans}, got)
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, got.Received, "a later scan finds the holder")
}

// holdInKernel is the helper.
func holdInKernel() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	inode, err := openVXLAN()
	if err != nil {
		return err
	}
	s := send.Socket{Cookie: 1, Inode: inode, Protocol: send.UDP}
	var v verdicts
	v.FromBelow = verdict(newAll(false), s, 4)
	r := newAll(true)
	v.First = verdict(r, s, 1)
	v.Second = verdict(r, s, 1)
	if s.NetNS, err = ownNamespace(); err != nil {
		return err
	}
	v.Named = verdict(newAll(true), s, 2)
	strange := s
	strange.NetNS = 1
	v.Strange = verdict(newAll(true), strange, 4)
	notRoots := s
	notRoots.UID, notRoots.Cookie = 1000, 2
	v.NotRoots = verdict(newAll(true), notRoots, 4)
	closed := s
	closed.Inode++
	v.Closed = verdict(newAll(true), closed, 4)
	if out, err := exec.Command("ip", "link", "del", "vx0").CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	r = newAll(true)
	v.After = verdict(r, s, 4)
	v.FullScans = r.Stats().FullScans
	if err := sendInFlight(&v); err != nil {
		return err
	}
	return print(v)
}

// openVXLAN makes the kernel open a UDP socket and returns its inode.
func openVXLAN() (uint64, error) {
	for _, args := range [][]string{
		{"link", "add", "vx0", "type", "vxlan", "id", "7", "remote", "192.0.2.1", "dstport", "4789"}, {"link", "set", "vx0", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("ip: %w: %s", err, out)
		}
	}
	table, err := procfs.New("").OpenNetTable("self", "udp")
	if err != nil {
		return 0, err
	}
	defer table.Close()
	table.Rewind()
	var row procfs.NetSocket
	if !table.Next(&row) || row.Local.Port() != 4789 {
		return 0, fmt.Errorf("the device has no socket: %v", row)
	}
	return row.Inode, nil
}

// ownNamespace returns the inode of this process's network namespace.
func ownNamespace() (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat("/proc/self/ns/net", &st)
	return st.Ino, err
}

// newAll makes a resolver that scans everything at every call; whole sets aside that there may be processes elsewhere.
func newAll(whole bool) *Resolver {
	r, err := New(Config{Share: 1, FullScanEvery: 1})
	if err != nil {
		panic(err)
	}
	r.scanner.wholeHost = r.scanner.wholeHost || whole
	return r
}

// verdict asks for the owner n times, each after a full scan, and returns the last answer.
func verdict(r *Resolver, s send.Socket, n int) string {
	var program process.Program
	for range n {
		r.nextScan.Store(0)
		_, program, _ = r.Owner(s, 0)
	}
	return program.Path
}

// sendInFlight asks about a socket that is on its way from this process to itself, in no descriptor table, and about the
// same socket when it has arrived.
func sendInFlight(v *verdicts) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 7777}); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if err := unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	r := newAll(true)
	s := send.Socket{Cookie: 3, Inode: st.Ino, Protocol: send.UDP}
	v.InFlight = verdict(r, s, 2)
	if _, _, _, _, err := unix.Recvmsg(pair[1], make([]byte, 1), make([]byte, 64), 0); err != nil {
		return err
	}
	verdict(r, send.Socket{Cookie: 4, Inode: 1}, 1) // another socket causes the next full scan
	v.Received = verdict(r, s, 1)
	return nil
}
