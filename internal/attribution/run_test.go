package attribution

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// ran starts Run and ends it with the test.
func ran(t testing.TB, r *Resolver) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// described waits for a description.
func described(t *testing.T, r *Resolver, id process.ID, enough func(process.Info) bool) process.Info {
	var info process.Info
	require.Eventually(t, func() bool {
		info, _ = r.Process(id)
		return enough(info)
	}, waitAtMost, pollEvery)
	return info
}

func TestRunDescribesParents(t *testing.T) {
	files, sockets := openSockets(t, 1)
	shell := exec.Command("/bin/sh", "-c", "/bin/sleep 600; true", "secret=hunter2")
	shell.ExtraFiles = files
	running(t, shell)
	require.NoError(t, files[0].Close())
	r := resolver(t, Config{Redact: process.Redact})
	ran(t, r)
	started := time.Now()
	id, _, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.EqualValues(t, shell.Process.Pid, id.PID)
	info := described(t, r, id, func(i process.Info) bool { return i.ParentPath != "" && i.Username != "" })
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, info.ParentPath)
	require.Contains(t, info.ParentCmdline, "-test.")
	require.EqualValues(t, os.Getpid(), info.Parent.PID)
	require.NotZero(t, info.Parent.StartTicks)
	if os.Geteuid() == 0 { // an ordinary user may have been started by somebody else
		require.NotEmpty(t, info.GrandparentPath)
		require.NotEmpty(t, info.GrandparentCmdline)
	}
	require.Contains(t, info.Cmdline, "secret="+process.Redacted)
	require.NotContains(t, info.Cmdline, "hunter2")
	require.Equal(t, "-c", info.Program.Script)
	me, err := user.Current()
	require.NoError(t, err)
	require.Equal(t, me.Username, info.Username)
	require.WithinDuration(t, started, info.StartTime, 5*time.Second)
	require.NotEmpty(t, info.CgroupPath)
}

// TestExitedProcessKeepsItsDescription: and that of its parents.
func TestExitedProcessKeepsItsDescription(t *testing.T) {
	cmd, sockets := holding(t, 1, "/bin/sleep")
	r := resolver(t, Config{})
	ran(t, r)
	id, program, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	before := described(t, r, id, func(i process.Info) bool { return i.ParentPath != "" })
	end(cmd)
	after := described(t, r, id, func(i process.Info) bool { return i.Exited })
	before.Exited = true
	require.Equal(t, before, after)
	closing := sockets[0]
	closing.Inode = 0
	got, again, ok := r.Owner(closing, 0)
	require.True(t, ok, "its last bytes are still its own")
	require.Equal(t, id, got)
	require.Equal(t, program, again)
	require.Equal(t, 1, r.Stats().Exited)

	r.mu.Lock()
	r.processes.expire(r.now()+1, r.now()+1)
	r.mu.Unlock()
	_, ok = r.Process(id)
	require.True(t, ok, "the last of its program")
}

// TestTheLastProcessOfAProgramStays: a program that runs once an hour is described in between, by its latest run alone.
func TestTheLastProcessOfAProgramStays(t *testing.T) {
	p := processes{limit: 100, textLimit: 1 << 20}
	info := func(pid int32, path string) process.Info {
		return process.Info{ID: process.ID{PID: pid, StartTicks: 1}, Program: process.Program{Path: path}, Exited: true}
	}
	for n := range int32(50) {
		p.add(info(n, "/usr/bin/curl"), 0, int64(n))
	}
	p.add(info(50, "/usr/bin/wget"), 0, 50)
	for now := int64(100); now < 1000; now += 100 {
		p.expire(now, now)
		require.Len(t, p.byID, 2)
		require.NotNil(t, p.byID[info(49, "").ID])
		require.NotNil(t, p.byID[info(50, "").ID])
		require.Len(t, p.exited, 2)
	}
	p.add(info(49, "/bin/sh"), 0, 1000) // it was another program in the end
	require.Len(t, p.latest, 2)
	for n := range int32(1000) {
		p.add(info(1000+n, "/bin/"+strconv.Itoa(int(n))), 0, 1000)
		require.LessOrEqual(t, len(p.byID), 100)
		require.Equal(t, len(p.byID), len(p.exited))
		require.LessOrEqual(t, len(p.latest), 100)
	}
}

// TestExecIsNoticed: the process stays, the program does not.
func TestExecIsNoticed(t *testing.T) {
	files, sockets := openSockets(t, 2)
	cmd := exec.Command("/bin/sh", "-c", "read go; exec /bin/sleep 600")
	cmd.ExtraFiles = files
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	pid := running(t, cmd)
	for _, f := range files {
		require.NoError(t, f.Close())
	}
	r := resolver(t, Config{})
	id, program, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, "-c", program.Script)
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		exe, err := os.Readlink("/proc/" + text(int(pid)) + "/exe")
		return err == nil && strings.HasSuffix(exe, "sleep")
	}, waitAtMost, pollEvery)

	same, program, ok := r.Owner(sockets[1], 0)
	require.True(t, ok)
	require.Equal(t, id, same, "one process")
	require.True(t, strings.HasSuffix(program.Path, "sleep"), "a new socket has it looked at again: %s", program.Path)
	_, program, _ = r.Owner(sockets[0], 0)
	require.True(t, strings.HasSuffix(program.Path, "sleep"))
}

// TestExecIsNoticedInTheBackground: no new socket has it looked at.
func TestExecIsNoticedInTheBackground(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, parent: 1, ticks: 100, exe: "/bin/sh", sockets: []uint64{1001}})
	r := resolver(t, Config{Root: p.root})
	id, program, _ := r.Owner(sock(1, 1001), 0)
	require.Equal(t, "/bin/sh", program.Path)
	p.end(7)
	p.add(member{pid: 7, parent: 1, ticks: 100, exe: "/bin/nc", sockets: []uint64{1001}})
	p.write(7, "stat", "7 (nc) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 0 0 0 4711 0 0\n")
	r.reap(newEnricher(r))
	same, program, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	require.Equal(t, id, same)
	require.Equal(t, "/bin/nc", program.Path)
}

// TestHostileDescription: everything a process says of itself is escaped and bounded.
func TestHostileDescription(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, parent: 6, ticks: 100, exe: "/tmp/a\nb\xff", sockets: []uint64{1001}})
	p.add(member{pid: 6, parent: 7, ticks: 90, exe: "/bin/parent"})
	p.write(7, "cmdline", "x\x00"+strings.Repeat("\x1b[2J", 20000)+"\x00")
	p.write(7, "cgroup", "0::/\xfe\n")
	r := resolver(t, Config{Root: p.root})
	id, program, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	require.Equal(t, `/tmp/a\nb\xff`, program.Path)
	info := described(t, r, id, func(process.Info) bool { return true })
	require.Equal(t, `/\xfe`, info.CgroupPath)
	require.LessOrEqual(t, len(info.Cmdline), process.MaxText)
	require.True(t, strings.HasPrefix(info.Cmdline, `x \x1b[2J\x1b[2J`))
	newEnricher(r).enrich(context.Background(), id)
	info, _ = r.Process(id)
	require.Equal(t, "/bin/parent", info.ParentPath)
	require.Empty(t, info.GrandparentPath, "a parent younger than its child is another process")
	require.NotContains(t, info.Name, "\n")
}
