package procfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func TestAppendNetNS(t *testing.T) {
	own, err := ownNetNS()
	require.NoError(t, err)
	var b Buffer
	var scan NetNSScan
	before, err := New("").AppendNetNS(nil, 1000, &scan, &b)
	require.NoError(t, err)
	require.Positive(t, scan.Read)
	require.False(t, scan.Truncated)
	at := slices.IndexFunc(before, func(n NetNS) bool { return n.Inode == own })
	require.GreaterOrEqual(t, at, 0, "our own")
	require.LessOrEqual(t, int(before[at].PID), os.Getpid())

	first, second := inNewNetNS(t), inNewNetNS(t)
	scan = NetNSScan{}
	after, err := New("").AppendNetNS([]NetNS{{Inode: 1}}, 1000, &scan, &b)
	require.NoError(t, err)
	require.Equal(t, NetNS{Inode: 1}, after[0], "appended")
	after = after[1:]
	require.True(t, slices.IsSortedFunc(after, func(a, b NetNS) int { return int(a.Inode) - int(b.Inode) }))
	for _, pid := range []int32{first, second} {
		p, err := New("").OpenPID(pid)
		require.NoError(t, err)
		inode, err := p.NetNS(&b)
		require.NoError(t, err)
		require.NoError(t, p.Close())
		require.Contains(t, after, NetNS{Inode: inode, PID: pid})
	}

	scan = NetNSScan{}
	some, err := New("").AppendNetNS(nil, 1, &scan, &b)
	require.NoError(t, err)
	require.Len(t, some, 1)
	require.True(t, scan.Truncated)

	room := make([]NetNS, 0, 1000)
	fs := New("")
	// what other processes do cannot make it allocate, as long as there is room
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() { room, _ = fs.AppendNetNS(room[:0], 1000, &scan, &b) }), 1.0,
		"the path of /proc for open(2)")
}

func TestNetNSOfARottenProc(t *testing.T) {
	root := t.TempDir()
	for pid, link := range map[string]string{"1": "net:[5]", "2": "net:[5]", "3": "mnt:[6]", "4": "net:[x]", "x": "net:[7]",
		"0": "net:[8]", "99999999999": "net:[9]"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, pid, "ns"), 0o755))
		require.NoError(t, os.Symlink(link, filepath.Join(root, pid, "ns", "net")))
	}
	require.NoError(t, os.Mkdir(filepath.Join(root, "12"), 0o755))
	var b Buffer
	var scan NetNSScan
	got, err := New(root).AppendNetNS(nil, 10, &scan, &b)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.EqualValues(t, 5, got[0].Inode)
	require.Equal(t, NetNSScan{Read: 2}, scan)
	_, err = New(filepath.Join(root, "none")).AppendNetNS(nil, 10, &scan, &b)
	require.Error(t, err)
}

// ownNetNS is the namespace of this process.
func ownNetNS() (uint64, error) {
	p, err := New("").OpenPID(int32(os.Getpid()))
	if err != nil {
		return 0, err
	}
	defer p.Close()
	return p.NetNS(&Buffer{})
}

// inNewNetNS starts a process in a network namespace of its own and returns its PID.
func inNewNetNS(t testing.TB) int32 {
	cmd := exec.Command("/bin/sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		need.Skip(t, "a network namespace: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return int32(cmd.Process.Pid)
}

// threadInNewNetNS makes a thread in a network namespace of its own. owner names it in /proc, do runs a function on it.
func threadInNewNetNS(t testing.TB) (owner string, do func(func() error) error) {
	work, result := make(chan func() error), make(chan error)
	onOwnThread(func() {
		for f := range work {
			result <- f()
		}
	})
	t.Cleanup(func() { close(work) })
	do = func(f func() error) error {
		work <- f
		return <-result
	}
	if err := do(func() error {
		owner = "self/task/" + strconv.Itoa(unix.Gettid())
		return unix.Unshare(unix.CLONE_NEWNET)
	}); err != nil {
		need.Skip(t, "a network namespace: %v", err)
	}
	return owner, do
}

// onOwnThread runs f in a goroutine with a thread of its own, which ends with it. It is not the first thread of the process:
// that would never end, and what it does to itself shows in /proc/self.
func onOwnThread(f func()) {
	started := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			onOwnThread(f)
			runtime.UnlockOSThread()
			close(started)
			return
		}
		close(started)
		f()
	}()
	<-started
}

// BenchmarkAppendNetNS is what discovery costs, and as yardstick the same with os.ReadDir and os.Readlink.
func BenchmarkAppendNetNS(b *testing.B) {
	for range 50 {
		inNewNetNS(b)
	}
	b.Run("append", func(b *testing.B) {
		var buffer Buffer
		var all []NetNS
		scan, fs := NetNSScan{}, New("")
		b.ReportAllocs()
		for b.Loop() {
			scan = NetNSScan{}
			all, _ = fs.AppendNetNS(all[:0], 1000, &scan, &buffer)
		}
		b.ReportMetric(float64(len(all)), "namespaces")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*scan.Read), "ns/process")
	})
	b.Run("os", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			all := make(map[string]string)
			links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
			for _, link := range links {
				ns, _ := os.Readlink(link)
				all[ns] = link
			}
		}
	})
}
