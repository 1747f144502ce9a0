package server

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lifetime is how long a process of these tests may live at most.
const lifetime = (beats + 60) * time.Second

// child is a process on the server, the leader of a process group. Both end with the test.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  string        // the file of what it prints
	ended chan struct{} // closed when it was reaped
}

// launch starts a process whose standard input stays open. as is the user it runs as, root if empty.
func launch(t *testing.T, as string, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{cmd: cmd, said: filepath.Join(t.TempDir(), "said"), ended: make(chan struct{})}
	cmd.Dir = "/"
	said, err := os.Create(c.said)
	require.NoError(t, err)
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if as != "" {
		cmd.SysProcAttr.Credential = credential(t, as)
	}
	if cmd.Stdin == nil {
		c.stdin, err = cmd.StdinPipe()
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Start())
	limit := time.AfterFunc(lifetime, func() { cmd.Process.Kill() })
	go func() {
		defer close(c.ended)
		defer limit.Stop()
		_ = cmd.Wait() // its state says the same
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.pid(), syscall.SIGTERM) // it may have ended
		select {
		case <-c.ended:
		case <-time.After(5 * time.Second):
		}
		_ = syscall.Kill(-c.pid(), syscall.SIGKILL) // what is left of its group, if anything is
		<-c.ended
		if t.Failed() {
			t.Logf("%s ended with %v and said:\n%s", strings.Join(cmd.Args, " "), cmd.ProcessState, c.printed(t))
		}
	})
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// printed is what the process has printed so far.
func (c *child) printed(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.said)
	require.NoError(t, err)
	return string(text)
}

// credential is that of a user of the server. The password file is read here, because os/user may remember an older one.
func credential(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	passwd, err := os.ReadFile("/etc/passwd")
	require.NoError(t, err)
	for line := range strings.Lines(string(passwd)) {
		if f := strings.Split(line, ":"); f[0] == name {
			uid, err := strconv.ParseUint(f[2], 10, 32)
			require.NoError(t, err)
			gid, err := strconv.ParseUint(f[3], 10, 32)
			require.NoError(t, err)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatalf("the server has no user %s", name)
	return nil
}

// run runs a command to its end and returns what it printed.
func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}
