package shell

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/pty"
)

const (
	promptSocket  = "SHELL_TEST_PROMPT_SOCKET"
	promptHistory = "SHELL_TEST_PROMPT_HISTORY"
)

// TestMain is the prompt itself when a test starts this binary in a terminal.
func TestMain(m *testing.M) {
	socket := os.Getenv(promptSocket)
	if socket == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := Dial(socket, time.Minute)
	if err == nil {
		err = New(client, Config{Name: "test", HistoryFile: os.Getenv(promptHistory)}).Run(ctx, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// terminal is a pseudo-terminal with a process in it.
type terminal struct {
	*pty.Terminal
	t       *testing.T
	process *exec.Cmd
}

// startPrompt runs the prompt in a terminal of 80 columns, as a person would see it.
func startPrompt(t *testing.T, socket, history string, environment ...string) *terminal {
	t.Helper()
	term := &terminal{Terminal: pty.New(t, 80, 40), t: t, process: exec.Command(os.Args[0])}
	defer term.Slave.Close()
	term.process.Env = append(append(os.Environ(), "TERM=xterm", promptSocket+"="+socket, promptHistory+"="+history), environment...)
	term.process.Stdin, term.process.Stdout, term.process.Stderr = term.Slave, term.Slave, term.Slave
	term.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, term.process.Start())
	t.Cleanup(func() { _ = term.process.Process.Kill() })
	return term
}

func (term *terminal) ends() {
	term.t.Helper()
	require.NoError(term.t, term.process.Wait())
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
	up    = "\x1b[A"
)

func TestPrompt(t *testing.T) {
	socket, _ := serve(t, newHost(t, numbers(2)))
	history := filepath.Join(t.TempDir(), "history")
	term := startPrompt(t, socket, history)
	term.Expect("test: type SQL")
	term.Expect("test> ")
	term.Type("SELECT n,\r")
	term.Expect("...> ")
	term.Type("  n + 1 AS next FROM numbers;\r")
	term.Expect("+\r\n| 0 |    1 |\r\n| 1 |    2 |\r\n")
	term.Expect("test> ")

	term.Type("SELECT word FROM num\t WHERE n = 1;\r")
	term.Expect("numbers")
	term.Expect(`w1\x1b[2J`)

	term.Type("SELECT nope;\r")
	term.Expect("Error: no such column: nope\r\n")

	term.Type("SELECT 'half\r")
	term.Expect("...> ")
	term.Type(ctrlC)
	term.Expect("test> ")
	term.Type(".tables n*\r")
	term.Expect("\r\nnumbers\r\n")

	term.Type("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c WHERE x < 0;\r")
	term.Expect("x < 0;")
	term.interrupt()
	term.Expect("Error: interrupted\r\n")
	term.Expect("test> ")

	term.Type("SELECT 'again' AS a;\r")
	term.Expect("again")
	term.Type(up + "\r")
	term.Expect("again")
	term.Type(".quit\r")
	term.ends()

	info, err := os.Stat(history)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	lines, err := os.ReadFile(history)
	require.NoError(t, err)
	require.Contains(t, string(lines), "SELECT n,\n")

	term = startPrompt(t, socket, history)
	term.Expect("test> ")
	term.Type(up + up)
	term.Expect("SELECT 'again' AS a;")
	term.Type(ctrlC)
	term.Expect("test> ")
	term.Type(ctrlD)
	term.ends()
}

// interrupt presses Ctrl-C until the terminal turns it into a signal, which it does while a statement runs.
func (term *terminal) interrupt() {
	term.t.Helper()
	require.Eventually(term.t, func() bool {
		mode, err := unix.IoctlGetTermios(int(term.Master.Fd()), unix.TCGETS)
		return err == nil && mode.Lflag&unix.ISIG != 0
	}, 10*time.Second, time.Millisecond)
	term.Type(ctrlC)
}

func TestPromptLeavesTheTerminalAsItWas(t *testing.T) {
	socket, _ := serve(t, newHost(t))
	term := startPrompt(t, socket, "")
	term.Expect("test> ")
	require.NoError(t, term.process.Process.Signal(syscall.SIGTERM))
	term.ends()
	mode, err := unix.IoctlGetTermios(int(term.Master.Fd()), unix.TCGETS)
	require.NoError(t, err)
	require.NotZero(t, mode.Lflag&unix.ECHO)
	require.NotZero(t, mode.Lflag&unix.ICANON)
}

func TestNoColor(t *testing.T) {
	socket, _ := serve(t, newHost(t))
	const bold = "\x1b[1m"
	term := startPrompt(t, socket, "")
	term.Expect("test> ")
	term.Type("SELECT 1 AS one;\r")
	term.Expect(bold)
	term.Type(ctrlD)
	term.ends()

	term = startPrompt(t, socket, "", "NO_COLOR=1")
	term.Expect("test> ")
	term.Type("SELECT 1 AS one;\r")
	term.Expect("+-----+\r\n| one |\r\n")
	term.Type(ctrlD)
	term.ends()
}
