package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/pty"
)

// TestTopOnATerminal attaches to a running sensor, shows a beacon, close up its check-ins as well, and leaves.
func TestTopOnATerminal(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	a := newActor(t, host, "topped")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4), Seed: 1,
		Interval: 400 * time.Millisecond, Size: 151, Count: 15, For: time.Minute}})
	a.finish(t, 40*time.Second)

	term := pty.New(t, 80, 24)
	cmd := exec.Command(beaconwatch(), append(placeIn(s.dir), "top", "--every", "100ms")...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.Slave, term.Slave, term.Slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	limit := time.AfterFunc(lifetime, func() { cmd.Process.Kill() })
	defer limit.Stop()
	term.Expect("running sensor")
	term.Expect(filepath.Base(a.path))
	term.Expect("size 151 B")
	term.Type("\r")
	term.Expect("check-ins")
	term.Expect("┃")
	term.Type("qq")
	require.NoError(t, cmd.Wait())
	term.Expect("\x1b[?1049l")
}
