package bpf

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func executions(t testing.TB) *Executions {
	t.Helper()
	x, err := OpenExecutions()
	if err != nil {
		need.Skip(t, "%v", err)
	}
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	return x
}

// of waits for the last execution by a process.
func (x *Executions) of(t testing.TB, pid int) Execution {
	t.Helper()
	var found, e Execution
	require.Eventually(t, func() bool {
		for {
			ok, err := x.Next(&e)
			require.NoError(t, err)
			if !ok {
				return found.Owner.PID != 0
			}
			if int(e.Owner.PID) == pid {
				found = e
			}
		}
	}, 10*time.Second, time.Millisecond)
	return found
}

// sleeper starts a copy of sleep(1) at path; what the kernel says of it in /proc is what the test wants to hear from the program.
func sleeper(t *testing.T, path string, prepare func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(path, "60")
	if prepare != nil {
		prepare(cmd)
	}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func linkOf(t *testing.T, pid int, name string) string {
	t.Helper()
	target, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/" + name)
	require.NoError(t, err)
	return target
}

func copyOfSleep(t *testing.T, to string) string {
	t.Helper()
	from, err := exec.LookPath("sleep")
	require.NoError(t, err)
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.WriteFile(to, text, 0o755))
	return to
}

// Whatever the way to a program, the path is the one /proc shows while the process lives.
func TestExecution(t *testing.T) {
	x := executions(t)
	dir := t.TempDir()
	deep := filepath.Join(dir, strings.Repeat("deep/", 12), strings.Repeat("n", 255))
	tests := map[string]func(t *testing.T) *exec.Cmd{
		"plain": func(t *testing.T) *exec.Cmd { return sleeper(t, copyOfSleep(t, filepath.Join(dir, "plain")), nil) },
		"behind a symbolic link": func(t *testing.T) *exec.Cmd {
			require.NoError(t, os.Symlink(copyOfSleep(t, filepath.Join(dir, "linked")), filepath.Join(dir, "link")))
			return sleeper(t, filepath.Join(dir, "link"), nil)
		},
		"one of two names": func(t *testing.T) *exec.Cmd {
			require.NoError(t, os.Link(copyOfSleep(t, filepath.Join(dir, "first")), filepath.Join(dir, "other")))
			return sleeper(t, filepath.Join(dir, "other"), nil)
		},
		"deep, in a directory of its own": func(t *testing.T) *exec.Cmd {
			return sleeper(t, copyOfSleep(t, deep), func(cmd *exec.Cmd) { cmd.Dir = filepath.Dir(deep) })
		},
		"below a mount in a mount namespace of its own": func(t *testing.T) *exec.Cmd {
			copyOfSleep(t, filepath.Join(dir, "source", "program"))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "target"), 0o755))
			return sleeper(t, "/bin/sh", func(cmd *exec.Cmd) {
				cmd.Args = []string{"sh", "-c", "mount --bind source target && exec target/program 60"}
				cmd.Dir = dir
				cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			})
		},
		"in another root": func(t *testing.T) *exec.Cmd {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "root"), 0o755))
			return sleeper(t, "/bin/sh", func(cmd *exec.Cmd) {
				cmd.Args = []string{"sh", "-c", "mount --bind / root && exec chroot root sleep 60"}
				cmd.Dir = dir
				cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			})
		},
	}
	lasts := map[string]string{"below a mount in a mount namespace of its own": "/program", "in another root": "/sleep"}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			cmd := start(t)
			pid := cmd.Process.Pid
			if last, ok := lasts[name]; ok { // it is others first
				require.Eventually(t, func() bool { return strings.HasSuffix(linkOf(t, pid, "exe"), last) }, 10*time.Second, time.Millisecond)
			}
			e := x.of(t, pid)
			for !strings.HasSuffix(e.Path, lasts[name]) {
				e = x.of(t, pid)
			}
			require.Equal(t, linkOf(t, pid, "exe"), e.Path)
			require.Equal(t, linkOf(t, pid, "cwd"), e.Cwd)
			require.EqualValues(t, os.Getpid(), e.Parent)
			require.EqualValues(t, os.Getuid(), e.Owner.UID)
			require.Equal(t, namespaceInode(t), e.NetNS)
			require.Equal(t, fieldOfStat(t, pid, 22), strconv.FormatInt(e.Owner.Start/1e7, 10))
			require.Equal(t, fieldOfStat(t, pid, 28), strconv.FormatUint(e.Stack, 10))
			args, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
			require.NoError(t, err)
			require.Equal(t, string(args), strings.Join(e.Args, "\x00")+"\x00")
			comm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(string(comm)), unix.ByteSliceToString(e.Owner.Comm[:]))
		})
	}
}

// fieldOfStat is a field of /proc/PID/stat, counted from 1.
func fieldOfStat(t *testing.T, pid, n int) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), ") ")
	require.True(t, ok)
	return strings.Fields(rest)[n-3]
}

// What has no name any more, or never had one, is called as /proc calls it.
func TestExecutionWithoutAName(t *testing.T) {
	x := executions(t)
	dir := t.TempDir()
	program, place := copyOfSleep(t, filepath.Join(dir, "gone")), filepath.Join(dir, "place")
	require.NoError(t, os.Mkdir(place, 0o755))
	file, err := os.Open(program)
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, os.Remove(program))
	text := make([]byte, 1<<20)
	n, err := file.Read(text)
	require.NoError(t, err)
	memory, err := unix.MemfdCreate("payload", 0)
	require.NoError(t, err)
	defer unix.Close(memory)
	_, err = unix.Write(memory, text[:n])
	require.NoError(t, err)
	for fd, want := range map[int]string{int(file.Fd()): program + " (deleted)", memory: "/memfd:payload (deleted)"} {
		cmd := sleeper(t, "/proc/self/fd/"+strconv.Itoa(fd), func(cmd *exec.Cmd) {
			cmd.Path, cmd.Dir = "/proc/"+strconv.Itoa(os.Getpid())+"/fd/"+strconv.Itoa(fd), place
		})
		e := x.of(t, cmd.Process.Pid)
		require.Equal(t, want, e.Path)
		require.Equal(t, linkOf(t, cmd.Process.Pid, "exe"), e.Path)
		require.Equal(t, place, e.Cwd)
	}
}

func TestExecutionInAControlGroup(t *testing.T) {
	x := executions(t)
	group := filepath.Join(cgroup2(t), "bpf-test-"+strconv.Itoa(os.Getpid()), "libpod-"+strings.Repeat("0a", 32)+".scope", "container")
	require.NoError(t, os.MkdirAll(group, 0o755))
	t.Cleanup(func() {
		for range 3 {
			require.NoError(t, os.Remove(group))
			group = filepath.Dir(group)
		}
	})
	dir, err := os.Open(group)
	require.NoError(t, err)
	defer dir.Close()
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	require.NoError(t, cmd.Run())
	e := x.of(t, cmd.Process.Pid)
	require.True(t, strings.HasSuffix(group, e.Cgroup) && strings.HasPrefix(e.Cgroup, "/bpf-test-"), e.Cgroup)
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(int(dir.Fd()), &st))
	require.Equal(t, st.Ino, e.Owner.Cgroup)
}

func TestExecutionOfAScript(t *testing.T) {
	x := executions(t)
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nexit 0\n"), 0o755))
	cmd := exec.Command(script, strings.Repeat("x", 200), strings.Repeat("y", 400))
	require.NoError(t, cmd.Run())
	e := x.of(t, cmd.Process.Pid)
	shell, err := filepath.EvalSymlinks("/bin/sh")
	require.NoError(t, err)
	require.Equal(t, shell, e.Path)
	require.Equal(t, []string{"/bin/sh", script, strings.Repeat("x", 200)}, e.Args, "the last is not whole")
}

// Every one of many processes that live for a millisecond, or its loss.
func TestEveryExecutionIsToldOrCounted(t *testing.T) {
	x := executions(t)
	const processes = 2000
	pids := make(map[int]bool, processes)
	for range processes {
		cmd := exec.Command("/bin/true")
		require.NoError(t, cmd.Run())
		pids[cmd.Process.Pid] = true
	}
	told := 0
	for e := (Execution{}); ; {
		ok, err := x.Next(&e)
		require.NoError(t, err)
		if !ok {
			break
		}
		if pids[int(e.Owner.PID)] && strings.HasSuffix(e.Path, "/true") {
			told++
		}
	}
	t.Logf("%d of %d told, %d lost by all of the host", told, processes, x.Lost())
	require.GreaterOrEqual(t, uint64(told)+x.Lost(), uint64(processes))
	require.Positive(t, told)
}

// executionRecord is what the program writes of "/bin/true x".
func executionRecord() []byte {
	b := append(make([]byte, atText, executionMax), "true\x00bin\x00usr\x00tmp\x00group\x00/bin/true\x00x\x00"...)
	for at, end := range map[int]uint16{atPathEnd: 13, atCwdEnd: 17, atCgroupEnd: 23, atEnd: 35} {
		binary.NativeEndian.PutUint16(b[at:], end)
	}
	return b
}

func FuzzDecodeExecution(f *testing.F) {
	record := executionRecord()
	f.Add(record)
	f.Add(make([]byte, atText))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Execution
		if !e.decode(b) {
			return
		}
		for _, path := range []string{e.Path, e.Cwd, e.Cgroup} {
			require.True(t, path == "" || path[0] == '/')
		}
		require.LessOrEqual(t, len(e.Path)+len(e.Cwd)+len(e.Cgroup)+len(strings.Join(e.Args, "")), len(b)+40)
	})
}

func TestDecodeExecution(t *testing.T) {
	record := executionRecord()
	var e Execution
	require.True(t, e.decode(record))
	require.Equal(t, Execution{Path: "/usr/bin/true", Cwd: "/tmp", Cgroup: "/group", Args: []string{"/bin/true", "x"}}, e)
	binary.NativeEndian.PutUint16(record[atTextFlags:], pathCut|cwdDeleted|cgroupCut)
	require.True(t, e.decode(record))
	require.Equal(t, [3]string{"", "/tmp (deleted)", ""}, [3]string{e.Path, e.Cwd, e.Cgroup}, "what is not whole is not told")
	binary.NativeEndian.PutUint16(record[atPathEnd:], 20)
	require.False(t, e.decode(record))
	require.False(t, e.decode(record[:atText-1]))
}

// BenchmarkExecution is what the program takes of each execve(2), as the kernel measures it, beside how long starting a process
// takes altogether.
func BenchmarkExecution(b *testing.B) {
	x := executions(b)
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		need.Skip(b, "bpf statistics: %v", err)
	}
	defer counting.Close()
	before, err := x.program.Stats()
	require.NoError(b, err)
	for b.Loop() {
		require.NoError(b, exec.Command("/bin/true").Run())
	}
	after, err := x.program.Stats()
	require.NoError(b, err)
	b.ReportMetric(float64(after.Runtime-before.Runtime)/float64(after.RunCount-before.RunCount), "ns/exec")
}
