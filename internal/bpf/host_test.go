package bpf

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// trace opens a tracer for a test, with all that cfg asks for.
func trace(t testing.TB, cfg Config) *Tracer {
	t.Helper()
	tracer, err := Open(cfg)
	if err != nil {
		need.Skip(t, "%v", err)
	}
	t.Cleanup(func() { require.NoError(t, tracer.Close()) })
	for _, refusal := range tracer.Missing() {
		need.Skip(t, "%v", refusal)
	}
	return tracer
}

// cgroup2 mounts a cgroup2 hierarchy for the test.
func cgroup2(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bpf-cgroup2-")
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

// inNamespace runs f in a network namespace of its own with the loopback interface up, on a thread that dies with it. f must
// not end the test; processes it starts are born there.
func inNamespace(t testing.TB, f func(inode uint32) error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread is not fit for others
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := raiseLoopback(); err != nil {
				return err
			}
			var st unix.Stat_t
			if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
				return err
			}
			return f(uint32(st.Ino))
		}()
	}()
	err := <-done
	if errors.Is(err, unix.EPERM) {
		need.Skip(t, "network namespace: %v", err)
	}
	require.NoError(t, err)
}

func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(ifr))); errno != 0 {
		return errno
	}
	return nil
}

// role is set for a process of this binary that plays a part in a test.
const role = "BPF_TEST_ROLE"

// parts are the roles; they get the arguments and end the process with their error.
var parts = map[string]func(args []string) error{}

func TestMain(m *testing.M) {
	name := os.Getenv(role)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := parts[name](os.Args[1:]); err != nil {
		os.Stderr.WriteString(name + ": " + err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// play returns a process of this binary in a role.
func play(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), role+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// read calls take with each event until it returns true, or fails the test after a while.
func read(t testing.TB, tracer *Tracer, take func(*Event) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	var e Event
	for time.Now().Before(deadline) {
		require.NoError(t, tracer.SetDeadline(time.Now().Add(50*time.Millisecond)))
		for {
			ok, err := tracer.Next(&e)
			require.NoError(t, err)
			if !ok {
				break
			}
			if take(&e) {
				return
			}
		}
		flushed := false
		require.NoError(t, tracer.Flush(now(), func(e *Event) { flushed = flushed || take(e) }))
		if flushed {
			return
		}
	}
	require.Fail(t, "what the test waits for did not come")
}

func now() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

func cookieOf(t testing.TB, c interface {
	SyscallConn() (syscall.RawConn, error)
}) (cookie uint64) {
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	var failure error
	require.NoError(t, raw.Control(func(fd uintptr) {
		cookie, failure = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE)
	}))
	require.NoError(t, failure)
	return cookie
}

func namespaceInode(t testing.TB) uint32 {
	var st unix.Stat_t
	require.NoError(t, unix.Stat("/proc/thread-self/ns/net", &st))
	return uint32(st.Ino)
}

// startTicks is when this process began, as /proc tells it (proc_pid_stat(5), field 22).
func startTicks(t testing.TB) int64 {
	stat, err := os.ReadFile("/proc/self/stat")
	require.NoError(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	ticks, err := strconv.ParseInt(fields[22-3], 10, 64)
	require.NoError(t, err)
	return ticks
}
