package netns

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func inode(t *testing.T) uint64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Stat("/proc/thread-self/ns/net", &st))
	return st.Ino
}

// another opens a network namespace of the test's own, made by a thread that ends with the call.
func another(t *testing.T) *os.File {
	t.Helper()
	var file *os.File
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			file, err = os.Open("/proc/thread-self/ns/net")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		need.Skip(t, "network namespace: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

func TestDo(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, there := inode(t), another(t)
	broken := errors.New("broken")
	for ns, elsewhere := range map[int]bool{0: false, int(there.Fd()): true} {
		require.ErrorIs(t, Do(ns, func() error {
			require.Equal(t, elsewhere, inode(t) != here)
			return broken
		}), broken)
		require.Equal(t, here, inode(t), "the thread is back")
	}
}

func TestDoRefused(t *testing.T) {
	file, err := os.Open("/proc/self/ns/uts")
	require.NoError(t, err)
	defer file.Close()
	for ns, want := range map[int]error{int(file.Fd()): unix.EINVAL, 1 << 20: unix.EBADF} {
		called := false
		require.ErrorIs(t, Do(ns, func() error { called = true; return nil }), want)
		require.False(t, called)
	}
}
