package attribution

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// witnessing runs a resolver that follows process events; the test is skipped where the kernel refuses.
func witnessing(t testing.TB, c Config) *Resolver {
	r := resolver(t, c)
	ran(t, r)
	require.Eventually(t, func() bool {
		e := r.Stats().Events
		return e.Active || e.Refused != nil
	}, waitAtMost, pollEvery)
	if e := r.Stats().Events; !e.Active {
		need.Skip(t, "process events: %v", e.Refused)
	}
	return r
}

// sent is a datagram of a process that a source reports with its PID.
func sent(pid int, at boottime.Time, cookie uint64) *send.Send {
	return &send.Send{Socket: send.Socket{Cookie: cookie}, Sender: int32(pid), At: at}
}

// shot is a process that has ended, and a time at which it was still there to send.
type shot struct {
	PID int
	At  boottime.Time
}

// shoot is a helper that starts processes which end at once, some at a time.
func shoot() error {
	const atOnce = 4
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	shots := make([]shot, n)
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i := range shots {
		all.Go(func() error {
			cmd := helper("nothing", "shot", strconv.Itoa(i))
			if err := cmd.Start(); err != nil {
				return err
			}
			shots[i] = shot{PID: cmd.Process.Pid, At: boottime.Now()}
			return cmd.Wait()
		})
	}
	return errors.Join(all.Wait(), print(shots))
}

// TestOneShotProcesses: each ends at once, and is asked for when all are long gone.
func TestOneShotProcesses(t *testing.T) {
	const processes = 1000
	r := witnessing(t, Config{})
	self, err := os.Executable()
	require.NoError(t, err)
	shooter := helper("shoot", strconv.Itoa(processes))
	var shots []shot
	report(t, shooter, &shots)
	known, whole := 0, 0
	for i, s := range shots {
		id, program, ok := r.OwnerOf(sent(s.PID, s.At, uint64(1+i)))
		if !ok {
			continue
		}
		known++
		require.Equal(t, self, program.Path)
		require.EqualValues(t, os.Getuid(), program.UID)
		info, ok := r.Process(id)
		require.True(t, ok)
		require.Equal(t, program, info.Program)
		if info.Cmdline != "" && info.NetNS != 0 { // it did not end while it was read
			require.Equal(t, "/proc/self/exe shot "+strconv.Itoa(i), info.Cmdline)
			whole++
		}
		require.True(t, info.Exited)
		require.EqualValues(t, shooter.Process.Pid, info.Parent.PID)
		require.Equal(t, self, info.ParentPath)
		require.Equal(t, "/proc/self/exe 1000", info.ParentCmdline)
		require.Equal(t, self, info.GrandparentPath)
		require.Contains(t, info.GrandparentCmdline, "-test.")
		require.NotEmpty(t, info.CgroupPath)
		require.WithinDuration(t, time.Now(), info.StartTime, time.Minute)
	}
	e := r.Stats().Events
	t.Logf("%d of %d known; %+v", known, processes, e)
	require.Zero(t, e.Lost)
	require.GreaterOrEqual(t, e.Late, uint64(processes-known), "what is not known is counted")
	require.GreaterOrEqual(t, whole, known*95/100)
	require.GreaterOrEqual(t, known, processes*95/100, "all but those for which this host had no CPU in time")
	require.GreaterOrEqual(t, e.Recalled, uint64(known))
}

// TestParentsThatHaveEnded: a shell starts a program in the background and is gone before that sends.
func TestParentsThatHaveEnded(t *testing.T) {
	r := witnessing(t, Config{})
	cmd := exec.Command("/bin/sh", "-c", "/bin/sleep 600 >/dev/null 2>&1 & echo $!; sleep 0.1", "job")
	out, err := cmd.Output()
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	defer killPID(int32(pid))
	stat, err := newEnricher(r).stat(int32(pid))
	require.NoError(t, err)
	require.NotEqualValues(t, cmd.Process.Pid, stat.Parent, "it has been handed to another parent")
	self, err := os.Executable()
	require.NoError(t, err)
	check := func(at boottime.Time) {
		id, program, ok := r.OwnerOf(sent(pid, at, 1))
		require.True(t, ok)
		require.True(t, strings.HasSuffix(program.Path, "sleep"), program.Path)
		info := described(t, r, id, func(i process.Info) bool {
			return i.Username != "" && int(i.Parent.PID) == cmd.Process.Pid
		})
		require.True(t, strings.HasSuffix(info.ParentPath, "sh"), info.ParentPath)
		require.Equal(t, "/bin/sh -c /bin/sleep 600 >/dev/null 2>&1 & echo $!; sleep 0.1 job", info.ParentCmdline)
		require.Equal(t, self, info.GrandparentPath)
		require.Contains(t, info.GrandparentCmdline, "-test.")
	}
	check(boottime.Now())
	during := boottime.Now()
	killPID(int32(pid))
	require.Eventually(t, func() bool {
		info, _ := r.Process(process.ID{PID: int32(pid), StartTicks: stat.StartTicks})
		return info.Exited
	}, waitAtMost, pollEvery)
	check(during)
}

// TestExecOfAnOwner is noticed without anybody asking.
func TestExecOfAnOwner(t *testing.T) {
	r := witnessing(t, Config{})
	cmd := exec.Command("/bin/sh", "-c", "read go; exec /bin/sleep 600")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	pid := running(t, cmd)
	id, program, ok := r.Owner(send.Socket{Cookie: 1}, pid)
	require.True(t, ok)
	require.Equal(t, "-c", program.Script)
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	info := described(t, r, id, func(i process.Info) bool { return strings.HasSuffix(i.Program.Path, "sleep") })
	require.Equal(t, "/bin/sleep 600", info.Cmdline)
	require.EqualValues(t, os.Getpid(), info.Parent.PID)
	end(cmd)
	described(t, r, id, func(i process.Info) bool { return i.Exited })
}

// TestForkWithoutExec: a child that runs what its parent runs.
func TestForkWithoutExec(t *testing.T) {
	r := witnessing(t, Config{})
	out, err := exec.Command("/bin/sh", "-c", `(read pid rest </proc/self/stat; echo $pid); sleep 0.1`, "forking").Output()
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	id, program, ok := r.OwnerOf(sent(pid, boottime.Now(), 1))
	require.True(t, ok)
	require.True(t, strings.HasSuffix(program.Path, "sh"), program.Path)
	info, ok := r.Process(id)
	require.True(t, ok)
	require.Contains(t, info.Cmdline, "forking")
	require.Equal(t, program.Path, info.ParentPath, "its parent is the shell")
}

// TestReusedPIDOfAWitness gives a PID away again, by the kernel's own means (proc_sys_kernel(5)).
func TestReusedPIDOfAWitness(t *testing.T) {
	need.Root(t)
	r := witnessing(t, Config{})
	first := helper("nothing", "first")
	require.NoError(t, first.Run())
	pid, during := first.Process.Pid, boottime.Now()
	require.Eventually(t, func() bool { return boottime.Now().Sub(during) > 5*time.Duration(tick) }, waitAtMost, pollEvery)
	second := reusing(t, pid, "/bin/sleep")
	r.witness.catchUp()
	id, program, ok := r.OwnerOf(sent(pid, boottime.Now(), 2))
	require.True(t, ok)
	require.True(t, strings.HasSuffix(program.Path, "sleep"), program.Path)
	before, program, ok := r.OwnerOf(sent(pid, during, 1))
	require.True(t, ok)
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, program.Path)
	require.Less(t, before.StartTicks, id.StartTicks)
	info, _ := r.Process(before)
	require.True(t, info.Exited)
	end(second)
	_, program, ok = r.OwnerOf(sent(pid, 0, 3))
	require.True(t, ok)
	require.True(t, strings.HasSuffix(program.Path, "sleep"), "the latest")
}

// reusing starts a program with a PID of choice, which must not be in use.
func reusing(t *testing.T, pid int, executable string) *exec.Cmd {
	const last = "/proc/sys/kernel/ns_last_pid"
	for range 200 {
		if err := os.WriteFile(last, []byte(strconv.Itoa(pid-1)), 0); err != nil {
			need.Skip(t, "choose a PID: %v", err)
		}
		cmd := exec.Command(executable, "600")
		if running(t, cmd) == int32(pid) {
			return cmd
		}
		end(cmd)
	}
	need.Skip(t, "PID %d was always taken by others", pid)
	return nil
}
