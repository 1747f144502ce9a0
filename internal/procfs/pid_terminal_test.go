package procfs

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/pty"
)

// TestTerminal starts a process with a controlling terminal and one without.
func TestTerminal(t *testing.T) {
	slave := pty.New(t, 80, 24).Slave
	for _, attr := range []*syscall.SysProcAttr{{Setsid: true, Setctty: true}, {Setsid: true}} {
		cmd := exec.Command("/bin/sleep", "60")
		cmd.Stdin, cmd.SysProcAttr = slave, attr
		require.NoError(t, cmd.Start())
		p, err := New("").OpenPID(int32(cmd.Process.Pid))
		require.NoError(t, err)
		var b Buffer
		var stat PIDStat
		require.NoError(t, p.Stat(&b, &stat))
		require.Equal(t, attr.Setctty, stat.Terminal != 0)
		require.NoError(t, p.Close())
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
}
