package attribution

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// TestMetOnce: whoever asks to be told of owners is told once of each, with the file it runs.
func TestMetOnce(t *testing.T) {
	need.Root(t)
	cmd, sockets := holding(t, 3, "/bin/sleep")
	var met []process.Info
	r := resolver(t, Config{Met: func(i process.Info) { met = append(met, i) }})
	for range 2 {
		for _, s := range sockets {
			_, _, ok := r.Owner(s, 0)
			require.True(t, ok)
		}
	}
	require.Len(t, met, 1)
	require.EqualValues(t, cmd.Process.Pid, met[0].ID.PID)
	var st unix.Statx_t
	require.NoError(t, unix.Statx(unix.AT_FDCWD, met[0].Program.Path, 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st))
	require.Equal(t, process.FileOf(&st), met[0].Executable)
	require.False(t, met[0].Terminal)
	want, err := os.Stat("/bin/sleep")
	require.NoError(t, err)
	require.Equal(t, want.Size(), met[0].Executable.Size)
}

// TestEnvironmentOfOneShotProcesses: what was preloaded into a process is known though it has ended.
func TestEnvironmentOfOneShotProcesses(t *testing.T) {
	r := witnessing(t, Config{})
	for env, want := range map[string]bool{"LD_PRELOAD=/nonexistent.so": true, "LD_PRELOADED=1": false} {
		require.Eventually(t, func() bool { // where this host had the CPU in time
			cmd := exec.Command("/bin/true")
			cmd.Env = []string{env}
			require.NoError(t, cmd.Run())
			id, _, ok := r.OwnerOf(sent(cmd.Process.Pid, boottime.Now(), uint64(cmd.Process.Pid)))
			info, _ := r.Process(id)
			if !ok || !info.EnvironRead {
				return false
			}
			require.Equal(t, want, info.Preload)
			require.True(t, info.Executable.Known())
			return true
		}, waitAtMost, pollEvery)
	}
}
