package procfs

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// openSelf opens the directory of the test's own process.
func openSelf(t testing.TB) PID {
	p, err := New("").OpenPID(int32(os.Getpid()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// socketOf opens a socket and returns its inode.
func socketOf(t testing.TB) uint64 {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	var st unix.Stat_t
	require.NoError(t, raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) }))
	require.NoError(t, err)
	return st.Ino
}

func TestReadOwnProcess(t *testing.T) {
	p := openSelf(t)
	var b Buffer
	var stat PIDStat
	require.NoError(t, p.Stat(&b, &stat))
	require.EqualValues(t, os.Getppid(), stat.Parent)
	require.Positive(t, stat.StartTicks)
	require.Positive(t, stat.StartStack)
	require.Greater(t, stat.Threads, int32(1))

	exe, err := p.Exe(&b)
	require.NoError(t, err)
	want, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, want, exe)

	cwd, err := p.Cwd(&b)
	require.NoError(t, err)
	want, err = os.Getwd()
	require.NoError(t, err)
	require.Equal(t, want, cwd)

	args, err := p.Args(&b)
	require.NoError(t, err)
	require.Equal(t, os.Args, args)

	ids, err := p.UIDs(&b)
	require.NoError(t, err)
	require.Equal(t, UIDs{Real: uint32(os.Getuid()), Effective: uint32(os.Geteuid())}, ids)
	euid, err := p.Effective(&b)
	require.NoError(t, err)
	require.EqualValues(t, os.Geteuid(), euid)

	var st unix.Stat_t
	require.NoError(t, unix.Stat("/proc/self/ns/net", &st))
	ns, err := p.NetNS(&b)
	require.NoError(t, err)
	require.Equal(t, st.Ino, ns)

	cgroup, err := p.Cgroup(&b, func(string) bool { return false })
	require.NoError(t, err)
	require.Equal(t, byte('/'), cgroup[0])
}

func TestListsHaveThisProcessAndThread(t *testing.T) {
	var b Buffer
	pids, whole, err := New("").AppendPIDs([]int32{-1}, 1<<20, &b)
	require.NoError(t, err)
	require.True(t, whole)
	require.EqualValues(t, -1, pids[0], "appended")
	require.Contains(t, pids, int32(os.Getpid()))
	tids, whole, err := openSelf(t).AppendThreads(nil, 1<<20, &b)
	require.NoError(t, err)
	require.True(t, whole)
	require.Contains(t, tids, int32(os.Getpid()))

	pids, whole, err = New("").AppendPIDs(nil, 1, &b)
	require.NoError(t, err)
	require.False(t, whole, "there are more")
	require.Len(t, pids, 1)
}

func TestLastPID(t *testing.T) {
	fs := New("")
	var b Buffer
	require.Eventually(t, func() bool { // others start processes as well
		cmd := exec.Command("/bin/true")
		require.NoError(t, cmd.Start())
		last, ok := fs.LastPID(&b)
		require.NoError(t, cmd.Wait())
		return ok && int(last) == cmd.Process.Pid
	}, 10*time.Second, time.Millisecond)
	_, ok := New(t.TempDir()).LastPID(&b)
	require.False(t, ok)
}

func TestGroup(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var b Buffer
	for _, id := range []int{os.Getpid(), unix.Gettid()} {
		p, err := New("").OpenPID(int32(id))
		require.NoError(t, err)
		group, err := p.Group(&b)
		p.Close()
		require.NoError(t, err)
		require.EqualValues(t, os.Getpid(), group)
	}
}

func TestAppendSockets(t *testing.T) {
	inode := socketOf(t)
	p := openSelf(t)
	var b Buffer
	var scan Scan
	got, err := p.AppendSockets(nil, &scan, &b)
	require.NoError(t, err)
	require.Greater(t, scan.Read, len(got), "standard input is no socket")
	require.Zero(t, scan.Refused)
	found := false
	for _, d := range got {
		if d.Inode == inode {
			found = true
			again, ok := p.Socket(d.FD, &b)
			require.True(t, ok)
			require.Equal(t, inode, again)
		}
	}
	require.True(t, found)
	_, ok := p.Socket(1<<30, &b)
	require.False(t, ok)
}

func TestAppendSocketsAllocatesNothingPerDescriptor(t *testing.T) {
	p := openSelf(t)
	var b Buffer
	var scan Scan
	got := make([]Descriptor, 0, 1024)
	allocations := func() float64 {
		return testing.AllocsPerRun(20, func() { got, _ = p.AppendSockets(got[:0], &scan, &b) })
	}
	before := allocations()
	for range 200 {
		socketOf(t)
	}
	require.Equal(t, before, allocations())
	require.GreaterOrEqual(t, len(got), 200)
	require.LessOrEqual(t, before, 1.0, "only the name of the directory")
}

// TestFindSocket: wherever a socket stands among many it is found, and not looked at beyond it.
func TestFindSocket(t *testing.T) {
	low, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	high, err := unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, 100)
	require.NoError(t, err)
	require.NoError(t, unix.Close(low))
	socket := os.NewFile(uintptr(high), "socket")
	defer socket.Close()
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(high, &st))
	inode := st.Ino
	var b Buffer
	find := func(pid int) (fd int32, looks int) {
		var scan Scan
		fd, ok, err := New("").FindSocket(int32(pid), inode, true, &scan, &b)
		require.NoError(t, err)
		require.True(t, ok)
		return fd, scan.Read
	}
	fd, looks := find(os.Getpid())
	require.EqualValues(t, socket.Fd(), fd)
	require.Greater(t, looks, len(usual))
	for _, at := range []int{1, 3, 7} {
		cmd := exec.Command("/bin/sleep", "60")
		if at == 1 {
			cmd.Stdout = socket
		} else {
			for range at - 3 {
				cmd.ExtraFiles = append(cmd.ExtraFiles, os.Stderr)
			}
			cmd.ExtraFiles = append(cmd.ExtraFiles, socket)
		}
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		fd, looks = find(cmd.Process.Pid)
		require.EqualValues(t, at, fd)
		require.LessOrEqual(t, looks, len(usual))
	}
	var scan Scan
	_, ok, err := New("").FindSocket(int32(os.Getpid()), 1<<40, true, &scan, &b) // inodes have 32 bits
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = New("").FindSocket(int32(os.Getpid()), inode, false, &scan, &b)
	require.NoError(t, err)
	require.False(t, ok, "it has no usual descriptor")
	_, _, err = New("").FindSocket(1<<30, inode, true, &scan, &b)
	require.ErrorIs(t, err, ErrGone)
}

// TestReusedPIDIsNotMistaken keeps the directory of a process that has ended and been reaped.
func TestReusedPIDIsNotMistaken(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "60")
	require.NoError(t, cmd.Start())
	p, err := New("").OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	var b Buffer
	var stat PIDStat
	require.NoError(t, p.Stat(&b, &stat))
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.ErrorIs(t, p.Stat(&b, &stat), ErrGone)
	_, err = p.Exe(&b)
	require.ErrorIs(t, err, ErrGone)
	var scan Scan
	_, err = p.AppendSockets(nil, &scan, &b)
	require.ErrorIs(t, err, ErrGone)
	_, err = New("").OpenPID(int32(cmd.Process.Pid))
	require.ErrorIs(t, err, ErrGone)
}

func TestDeletedExecutableIsKeptAsTheKernelSaysIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sleep")
	binary, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, binary, 0o700))
	cmd := exec.Command(path, "60")
	require.NoError(t, cmd.Start())
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	require.NoError(t, os.Remove(path))
	p, err := New("").OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	var b Buffer
	require.Eventually(t, func() bool {
		exe, err := p.Exe(&b)
		return err == nil && exe == path+" (deleted)"
	}, 5*time.Second, time.Millisecond)
}

func TestSameFiles(t *testing.T) {
	pid := int32(os.Getpid())
	parted := make(chan int32)
	done := make(chan struct{})
	defer close(done)
	onOwnThread(func() {
		if err := unix.Unshare(unix.CLONE_FILES); err != nil {
			close(parted)
			return
		}
		parted <- int32(unix.Gettid())
		<-done
	})
	tid, ok := <-parted
	require.True(t, ok)
	same, err := SameFiles(pid, tid)
	if errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EPERM) {
		need.Skip(t, "kcmp: %v", err)
	}
	require.NoError(t, err)
	require.False(t, same)
	same, err = SameFiles(pid, pid)
	require.NoError(t, err)
	require.True(t, same)
}

func TestOwnPIDs(t *testing.T) {
	require.True(t, New("").OwnPIDs())
	require.False(t, New(t.TempDir()).OwnPIDs())
	require.False(t, New(t.TempDir()).WholeHost())
	require.True(t, New(t.TempDir()).Hidden(), "a file system without the first process")
}
