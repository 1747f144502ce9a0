package attribution

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

func text(n int) string { return strconv.Itoa(n) }

func TestDeletedExecutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "implant")
	copyFile(t, "/bin/sleep", path)
	_, sockets := holding(t, 1, path)
	require.NoError(t, os.Remove(path))
	_, program, ok := resolver(t, Config{}).Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, path+" (deleted)", program.Path)
}

func TestExecutableInMemoryOnly(t *testing.T) {
	fd, err := unix.MemfdCreate("implant", 0)
	if err != nil {
		need.Skip(t, "memfd_create: %v", err)
	}
	defer unix.Close(fd)
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	copyFile(t, "/bin/sleep", path)
	_, sockets := holding(t, 1, path)
	_, program, ok := resolver(t, Config{}).Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, "/memfd:implant (deleted)", program.Path)
}

func TestScriptOfInterpreter(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "beacon.sh")
	require.NoError(t, os.WriteFile(script, []byte("read never\n"), 0o600))
	files, sockets := openSockets(t, 1)
	cmd := exec.Command("/bin/sh", "-e", "./beacon.sh", "--token", "hunter2")
	cmd.Dir, cmd.ExtraFiles = dir, files
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	running(t, cmd)
	require.NoError(t, files[0].Close())
	r := resolver(t, Config{Redact: func(c string) string { return strings.ReplaceAll(c, "hunter2", "***") }})
	id, program, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, script, program.Script)
	info, _ := r.Process(id)
	require.Equal(t, "/bin/sh -e ./beacon.sh --token ***", info.Cmdline)
}

// TestSocketInAThreadsOwnTable: /proc/PID/fd shows the table of the first thread only.
func TestSocketInAThreadsOwnTable(t *testing.T) {
	testHelperThatHides(t, "thread")
}

// TestSocketOfAProcessWhoseLeaderHasExited: /proc/PID/fd is empty and /proc/PID/exe is gone, yet the process lives.
func TestSocketOfAProcessWhoseLeaderHasExited(t *testing.T) {
	testHelperThatHides(t, "leader")
}

func testHelperThatHides(t *testing.T, mode string) {
	cmd := helper(mode)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	pid := running(t, cmd)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	inode, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
	require.NoError(t, err)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(t, err)
	for _, link := range links {
		target, _ := os.Readlink(link)
		require.NotEqual(t, fmt.Sprintf("socket:[%d]", inode), target, "it does hide")
	}
	r := resolver(t, Config{})
	id, program, ok := r.Owner(send.Socket{Cookie: 4711, Inode: inode, UID: uint32(os.Getuid())}, 0)
	require.True(t, ok)
	require.Equal(t, pid, id.PID)
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, program.Path)
}

// holdInThread is a helper that holds a socket in one thread's own table.
func holdInThread() error {
	done := make(chan error)
	go holdApart(done)
	if err := <-done; err != nil {
		return err
	}
	return untilStdinCloses()
}

// holdApart opens a socket in a table of this thread's own, unless it is the first: then it keeps that and starts another.
func holdApart(done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		go holdApart(done)
		select {}
	}
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		done <- err
		return
	}
	done <- announceSocket()
	select {}
}

// holdWithoutLeader is a helper whose first thread has exited.
func holdWithoutLeader() error {
	left := make(chan struct{})
	for range 64 {
		go func() {
			runtime.LockOSThread()
			if unix.Gettid() == os.Getpid() {
				close(left)
				unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
			}
			select {} // keeps its thread, so that the first one has its turn
		}()
	}
	<-left
	for {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", os.Getpid(), os.Getpid()))
		if err != nil {
			return err
		}
		if strings.Contains(string(state), ") Z ") {
			break
		}
	}
	if err := announceSocket(); err != nil {
		return err
	}
	return untilStdinCloses()
}

// announceSocket opens a socket and prints its inode.
func announceSocket() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	_, err = fmt.Println(st.Ino)
	return err
}

func untilStdinCloses() error {
	_, err := bufio.NewReader(os.Stdin).ReadByte()
	if err != nil {
		return nil
	}
	return fmt.Errorf("unexpected input")
}

func copyFile(t *testing.T, from, to string) {
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o700))
}
