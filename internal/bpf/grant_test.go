package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func init() {
	parts["tracer"] = hold
	parts["try"] = try
}

// hold opens a tracer and keeps it until it is killed.
func hold(args []string) error {
	tracer, err := Open(Config{Sends: true, Cgroup: args[0]})
	if err != nil {
		return err
	}
	for _, id := range programIDs(tracer) {
		fmt.Println(id)
	}
	fmt.Println("ready")
	var e Event
	for {
		if _, err := tracer.Next(&e); err != nil {
			return err
		}
	}
}

// try says what the kernel answers to Open.
func try([]string) error {
	_, err := Open(Config{Sends: true})
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return fmt.Errorf("no refusal: %w", err)
	}
	fmt.Println(refusal.Part, int(refusal.Errno))
	return nil
}

func programIDs(tracer *Tracer) (ids []ebpf.ProgramID) {
	for _, p := range tracer.programs {
		if info, err := p.Info(); err == nil {
			if id, ok := info.ID(); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// gone reports whether the kernel holds none of the programs any more; it frees them after a grace period.
func gone(ids []ebpf.ProgramID) bool {
	for _, id := range ids {
		if p, err := ebpf.NewProgramFromID(id); err == nil {
			_ = p.Close()
			return false
		}
	}
	return true
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func TestCloseLeavesNothing(t *testing.T) {
	cgroup := cgroup2(t)
	var ids []ebpf.ProgramID
	before := 0
	for i := range 10 {
		tracer, err := Open(Config{Sends: true, Cgroup: cgroup})
		if err != nil {
			need.Skip(t, "%v", err)
		}
		ids = append(ids, programIDs(tracer)...)
		require.NoError(t, tracer.Close())
		if i == 0 {
			before = descriptors(t) // the first opens what the runtime keeps
		}
	}
	require.Equal(t, before, descriptors(t))
	require.Len(t, ids, 40)
	require.Eventually(t, func() bool { return gone(ids) }, 10*time.Second, 50*time.Millisecond)
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	cmd := play("tracer", cgroup2(t))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var ids []ebpf.ProgramID
	lines := bufio.NewScanner(out)
	ready := false
	for !ready && lines.Scan() {
		var id ebpf.ProgramID
		if ready = lines.Text() == "ready"; !ready {
			_, err := fmt.Sscan(lines.Text(), &id)
			require.NoError(t, err)
			ids = append(ids, id)
		}
	}
	if !ready {
		_ = cmd.Wait()
		need.Skip(t, "the process could not trace")
	}
	require.False(t, gone(ids[:1]))
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return gone(ids) }, 10*time.Second, 50*time.Millisecond)
}

// Without privilege the refusal names the part and the errno.
func TestRefusal(t *testing.T) {
	need.Root(t)
	cmd := play("try")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Path, cmd.Err = copyOfSelf(t), nil
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%s %d\n", States, unix.EPERM), string(out))
}

// copyOfSelf returns a copy of this binary where anyone may run it.
func copyOfSelf(t *testing.T) string {
	dir, err := os.MkdirTemp("", "bpf-") // TempDir's parent is closed to others
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	own, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/self", own, 0o755))
	return dir + "/self"
}

// On a host without cgroup2 the destinations of unconnected UDP sockets are read from the memory of the program, which is told of
// each; and where the program gave several at once they are unknown.
func TestWithoutCgroup2(t *testing.T) {
	tracer, err := Open(Config{Sends: true})
	if err != nil {
		need.Skip(t, "%v", err)
	}
	defer func() { require.NoError(t, tracer.Close()) }()
	if !tracer.Sends() {
		need.Skip(t, "%v", tracer.Missing())
	}
	var parts []string
	for _, r := range tracer.Missing() {
		parts = append(parts, r.Part)
		require.ErrorIs(t, r, unix.ENOENT)
	}
	require.Equal(t, "cgroup/sendmsg4 cgroup/sendmsg6", strings.Join(parts, " "))
	there := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 9}
	for name, tt := range map[string]struct {
		send func(fd int) error
		want string
	}{
		"sendto":           {func(fd int) error { return unix.Sendto(fd, make([]byte, 5), 0, there) }, "127.0.0.1:9"},
		"sendmsg":          {func(fd int) error { return unix.Sendmsg(fd, make([]byte, 5), nil, there, 0) }, "127.0.0.1:9"},
		"sendmmsg of one":  {func(fd int) error { return sendmmsg(fd, there, 1, 5) }, "127.0.0.1:9"},
		"sendmmsg of more": {func(fd int) error { return sendmmsg(fd, there, 2, 5) }, "invalid AddrPort"},
	} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		require.NoError(t, err)
		require.NoError(t, tt.send(fd), name)
		read(t, tracer, func(e *Event) bool {
			if e.Cookie == cookie {
				require.Equal(t, tt.want, e.Remote.String(), name)
				require.Equal(t, e.Remote.IsValid(), e.Peeked, name)
				require.Equal(t, uint64(5), e.Bytes)
			}
			return e.Cookie == cookie
		})
		require.NoError(t, unix.Close(fd))
	}
}

func TestDetachedFromOutside(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
	require.NoError(t, tracer.Attached())
	var detached int
	for _, l := range tracer.links {
		if l.Detach() == nil { // the others cannot be
			detached++
		}
	}
	require.Equal(t, 2, detached)
	require.ErrorIs(t, tracer.Attached(), unix.ENOLINK)
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"ring is no power of two": {Ring: 5000},
		"ring below a page":       {Ring: 512},
		"too many streams":        {MaxStreams: 1 << 23},
		"window too long":         {Window: 2 * time.Second},
		"idle within the window":  {Window: time.Second, Idle: time.Millisecond},
	} {
		_, err := Open(cfg)
		require.ErrorContains(t, err, "bpf: ring", name)
	}
}

// TestAMissingPrivilegeIsNotExplainedToProgrammers: the library's guess at memory limits and its own functions stay out.
func TestAMissingPrivilegeIsNotExplainedToProgrammers(t *testing.T) {
	refused := refuse("x", fmt.Errorf("map create: %w (MEMLOCK may be too low, consider rlimit.RemoveMemlock)", unix.EPERM))
	require.EqualError(t, refused, "bpf: x: operation not permitted")
	require.ErrorContains(t, refuse("x", fmt.Errorf("load: %w: R1 is scalar", unix.EACCES)), "R1 is scalar")
}
