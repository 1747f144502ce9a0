package shell

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
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
	t       *testing.T
	master  *os.File
	process *exec.Cmd

	mu   sync.Mutex
	seen bytes.Buffer
}

// startPrompt runs the prompt in a terminal of 80 columns, as a person would see it.
func startPrompt(t *testing.T, socket, history string, environment ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		need.Skip(t, "no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 80}))
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	defer slave.Close()
	term := &terminal{t: t, master: master, process: exec.Command(os.Args[0])}
	term.process.Env = append(append(os.Environ(), "TERM=xterm", promptSocket+"="+socket, promptHistory+"="+history), environment...)
	term.process.Stdin, term.process.Stdout, term.process.Stderr = slave, slave, slave
	term.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, term.process.Start())
	t.Cleanup(func() { _ = term.process.Process.Kill() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			term.mu.Lock()
			term.seen.Write(buffer[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return term
}

func (term *terminal) typed(keys string) {
	term.t.Helper()
	_, err := term.master.WriteString(keys)
	require.NoError(term.t, err)
}

// expect waits until text is on the screen, and forgets what came up to it.
func (term *terminal) expect(text string) {
	term.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		term.mu.Lock()
		seen := term.seen.String()
		if i := strings.Index(seen, text); i >= 0 {
			term.seen.Next(i + len(text))
			term.mu.Unlock()
			return
		}
		term.mu.Unlock()
		if time.Now().After(deadline) {
			term.t.Fatalf("%q is not in %q", text, seen)
		}
		runtime.Gosched()
	}
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
	term.expect("test: type SQL")
	term.expect("test> ")
	term.typed("SELECT n,\r")
	term.expect("...> ")
	term.typed("  n + 1 AS next FROM numbers;\r")
	term.expect("+\r\n| 0 |    1 |\r\n| 1 |    2 |\r\n")
	term.expect("test> ")

	term.typed("SELECT word FROM num\t WHERE n = 1;\r")
	term.expect("numbers")
	term.expect(`w1\x1b[2J`)

	term.typed("SELECT nope;\r")
	term.expect("Error: no such column: nope\r\n")

	term.typed("SELECT 'half\r")
	term.expect("...> ")
	term.typed(ctrlC)
	term.expect("test> ")
	term.typed(".tables n*\r")
	term.expect("\r\nnumbers\r\n")

	term.typed("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c WHERE x < 0;\r")
	term.expect("x < 0;")
	term.interrupt()
	term.expect("Error: interrupted\r\n")
	term.expect("test> ")

	term.typed("SELECT 'again' AS a;\r")
	term.expect("again")
	term.typed(up + "\r")
	term.expect("again")
	term.typed(".quit\r")
	term.ends()

	info, err := os.Stat(history)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	lines, err := os.ReadFile(history)
	require.NoError(t, err)
	require.Contains(t, string(lines), "SELECT n,\n")

	term = startPrompt(t, socket, history)
	term.expect("test> ")
	term.typed(up + up)
	term.expect("SELECT 'again' AS a;")
	term.typed(ctrlC)
	term.expect("test> ")
	term.typed(ctrlD)
	term.ends()
}

// interrupt presses Ctrl-C until the terminal turns it into a signal, which it does while a statement runs.
func (term *terminal) interrupt() {
	term.t.Helper()
	require.Eventually(term.t, func() bool {
		mode, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
		return err == nil && mode.Lflag&unix.ISIG != 0
	}, 10*time.Second, time.Millisecond)
	term.typed(ctrlC)
}

func TestPromptLeavesTheTerminalAsItWas(t *testing.T) {
	socket, _ := serve(t, newHost(t))
	term := startPrompt(t, socket, "")
	term.expect("test> ")
	require.NoError(t, term.process.Process.Signal(syscall.SIGTERM))
	term.ends()
	mode, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
	require.NoError(t, err)
	require.NotZero(t, mode.Lflag&unix.ECHO)
	require.NotZero(t, mode.Lflag&unix.ICANON)
}

func TestNoColor(t *testing.T) {
	socket, _ := serve(t, newHost(t))
	const bold = "\x1b[1m"
	term := startPrompt(t, socket, "")
	term.expect("test> ")
	term.typed("SELECT 1 AS one;\r")
	term.expect(bold)
	term.typed(ctrlD)
	term.ends()

	term = startPrompt(t, socket, "", "NO_COLOR=1")
	term.expect("test> ")
	term.typed("SELECT 1 AS one;\r")
	term.expect("+-----+\r\n| one |\r\n")
	term.typed(ctrlD)
	term.ends()
}
