package procfs

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// TestTerminal starts a process with a controlling terminal and one without.
func TestTerminal(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		need.Skip(t, "%v", err)
	}
	defer master.Close()
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer slave.Close()
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
