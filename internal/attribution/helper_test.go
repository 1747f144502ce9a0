package attribution

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// helperMode names, in the environment, what a copy of the test binary does instead of testing.
const helperMode = "BEACONWATCH_ATTRIBUTION_HELPER"

func TestMain(m *testing.M) {
	helpers := map[string]func() error{
		"thread": holdInThread, "leader": holdWithoutLeader, "look": lookAround, "hidden": hideAndLook, "kernel": holdInKernel,
		"nothing": func() error { return nil }, "refused": listenAndTell, "shoot": shoot,
	}
	mode, ok := os.LookupEnv(helperMode)
	if !ok {
		os.Exit(m.Run())
	}
	if err := helpers[mode](); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// helper prepares a copy of the test binary in a mode.
func helper(mode string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperMode+"="+mode, "GORACE=atexit_sleep_ms=0") // or each takes a second under the race detector
	cmd.Stderr = os.Stderr
	return cmd
}

// report runs a helper to its end and decodes what it prints.
func report(t *testing.T, cmd *exec.Cmd, into any) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		need.Skip(t, "start a helper: %v", err)
	}
	require.NoError(t, cmd.Wait(), errs.String())
	require.NoError(t, json.Unmarshal(out.Bytes(), into), out.String())
}

// running starts a command and ends it with the test.
func running(t testing.TB, cmd *exec.Cmd) int32 {
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { end(cmd) })
	return int32(cmd.Process.Pid)
}

// end kills a process and waits until it is gone from the process table.
func end(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
}

// openSockets opens n sockets and returns them with their inodes as a source would report them.
func openSockets(t testing.TB, n int) ([]*os.File, []send.Socket) {
	files, sockets := make([]*os.File, n), make([]send.Socket, n)
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		files[i] = os.NewFile(uintptr(fd), "socket")
		sockets[i] = socketAt(t, fd)
	}
	return files, sockets
}

// socketAt is what a source reports about a socket of this process.
func socketAt(t testing.TB, fd int) send.Socket {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	require.NoError(t, err)
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &st))
	return send.Socket{Cookie: cookie, Inode: st.Ino, UID: uint32(os.Getuid()), Protocol: send.UDP}
}

// holding prepares a process of the executable that holds n new sockets which no other process holds once it runs.
func holding(t testing.TB, n int, executable string) (*exec.Cmd, []send.Socket) {
	files, sockets := openSockets(t, n)
	cmd := exec.Command(executable, "600")
	cmd.ExtraFiles = files
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { end(cmd) })
	for _, f := range files {
		require.NoError(t, f.Close())
	}
	return cmd, sockets
}

// waitAtMost and pollEvery are for conditions that another process brings about.
const (
	waitAtMost = 10 * time.Second
	pollEvery  = 5 * time.Millisecond
)

// readPID reads a PID that a process prints on a line.
func readPID(t testing.TB, from io.Reader) int32 {
	line, err := bufio.NewReader(from).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.ParseInt(strings.TrimSpace(line), 10, 32)
	require.NoError(t, err)
	return int32(pid)
}

// killPID ends a process the test did not start itself; it may be gone.
func killPID(pid int32) { _ = unix.Kill(int(pid), unix.SIGKILL) }

// resolver makes a Resolver of this host with budget enough for a test.
func resolver(t testing.TB, c Config) *Resolver {
	if c.Share == 0 {
		c.Share = 1
	}
	r, err := New(c)
	require.NoError(t, err)
	return r
}

// identity reads the identity of a live process.
func identity(t testing.TB, r *Resolver, pid int32) process.ID {
	e, err := newEnricher(r).stat(pid)
	require.NoError(t, err)
	return process.ID{PID: pid, StartTicks: e.StartTicks}
}

// print writes the report of a helper.
func print(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// inNamespaces lets a command run in new namespaces.
func inNamespaces(cmd *exec.Cmd, flags uintptr) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	return cmd
}
