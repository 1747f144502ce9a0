package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lifetime is how long a process of these tests may live at most.
const lifetime = 100 * time.Second

// child is a process a test started. It is reaped when the test ends, and does not outlive the test binary.
type child struct {
	cmd         *exec.Cmd
	out, errors *transcript
	ended       chan struct{} // closed when it was reaped
}

// launch starts cmd in a network namespace, nil for the present one. What it prints is kept.
func launch(t *testing.T, where *namespace, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{cmd: cmd, out: &transcript{}, errors: &transcript{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c.out, c.errors
	cmd.WaitDelay = 5 * time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	var err error
	where.do(t, func() { err = cmd.Start() })
	require.NoError(t, err)
	limit := time.AfterFunc(lifetime+*soaking, func() { cmd.Process.Kill() })
	go func() {
		defer close(c.ended)
		defer limit.Stop()
		_ = cmd.Wait() // its state says the same
	}()
	t.Cleanup(func() {
		c.stop(t)
		if t.Failed() && c.errors.String() != "" {
			t.Logf("%s %v ended with %v and said:\n%s", cmd.Path, cmd.Args[1:], cmd.ProcessState, c.errors)
		}
	})
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// wait returns the exit code, −1 for a signal, and fails the test if the process takes longer than limit.
func (c *child) wait(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(limit):
		t.Fatalf("%s still runs after %s", c.cmd.Path, limit)
	}
	return c.cmd.ProcessState.ExitCode()
}

// stop ends the process politely, then by force, and returns its exit code. An ended process is left as it is.
func (c *child) stop(t *testing.T) int {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("end %s: %v", c.cmd.Path, err)
	}
	select {
	case <-c.ended:
	case <-time.After(10 * time.Second):
		t.Errorf("%s does not end 10 s after SIGTERM", c.cmd.Path)
		c.kill()
	}
	return c.cmd.ProcessState.ExitCode()
}

// kill ends the process at once, as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.ended
}

// transcript keeps what a process prints.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// contains reports whether the process has printed text.
func contains(w *transcript, text string) bool { return strings.Contains(w.String(), text) }
