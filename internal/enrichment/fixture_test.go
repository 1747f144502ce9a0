package enrichment

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

const (
	waitAtMost = 10 * time.Second
	pollEvery  = 2 * time.Millisecond
)

// running makes an Enricher that runs until the test ends.
func running(t testing.TB, c Config) *Enricher {
	if c.Share == 0 {
		c.Share = 1
	}
	if c.Root == "" {
		c.Root = t.TempDir()
	}
	e, err := New(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return e
}

// start runs a command that does not end by itself, and returns what attribution would know of it.
func start(t testing.TB, cmd *exec.Cmd) process.Info {
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { stop(cmd) })
	own, err := os.Executable()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		i, err := described(int32(cmd.Process.Pid))
		return err == nil && i.Program.Path != own && hasEnviron(cmd.Process.Pid) // it has executed
	}, waitAtMost, pollEvery)
	info, err := described(int32(cmd.Process.Pid))
	require.NoError(t, err)
	return info
}

func hasEnviron(pid int) bool {
	p, err := procfs.New("").OpenPID(int32(pid))
	if err != nil {
		return false
	}
	defer p.Close()
	var b procfs.Buffer
	_, err = p.HasEnv(&b, nil)
	return err == nil
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// described reads a process as attribution does.
func described(pid int32) (process.Info, error) {
	var info process.Info
	p, err := procfs.New("").OpenPID(pid)
	if err != nil {
		return info, err
	}
	defer p.Close()
	var b procfs.Buffer
	var stat procfs.PIDStat
	if err := p.Stat(&b, &stat); err != nil {
		return info, err
	}
	info.ID = process.ID{PID: pid, StartTicks: stat.StartTicks}
	info.Terminal = stat.Terminal != 0
	var st unix.Statx_t
	if err := p.ExeStat(&st); err != nil {
		return info, err
	}
	info.Executable = process.FileOf(&st)
	uids, err := p.UIDs(&b)
	if err != nil {
		return info, err
	}
	info.Program.UID = uids.Real
	args, err := p.Args(&b)
	if err != nil {
		return info, err
	}
	info.Program.Path, err = p.Exe(&b)
	info.Program.Script = process.Script(info.Program.Path, args, "/")
	return info, err
}

// facts waits until a process is examined and its files are inspected.
func facts(t testing.TB, e *Enricher, info process.Info) process.Facts {
	t.Helper()
	e.Meet(info)
	var f process.Facts
	require.Eventually(t, func() bool {
		if _, examined := e.Facts(info.ID); !examined || !e.idle() {
			return false
		}
		f, _ = e.Facts(info.ID) // before, an inspection may have been under way
		return true
	}, waitAtMost, pollEvery)
	return f
}

// idle reports whether nothing waits to be examined or inspected.
func (e *Enricher) idle() bool {
	if len(e.queue)+len(e.inspect) > 0 {
		return false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, f := range e.files.all() {
		if f.queued {
			return false
		}
	}
	return true
}

// install copies a program to a path below a directory made for the test, protected from nobody.
func install(t testing.TB, program, path string) string {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	from, err := os.Open(program)
	require.NoError(t, err)
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	return path
}

// sleeper is a command that waits for a minute.
func sleeper(path string, env ...string) *exec.Cmd {
	cmd := exec.Command(path, "60")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LD_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}
