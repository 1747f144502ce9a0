package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// niceness returns the nice values of the threads of a process, proc_pid_stat(5).
func niceness(t *testing.T, pid int) (values []int) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	require.NoError(t, err)
	for _, thread := range threads {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, thread.Name()))
		require.NoError(t, err)
		_, fields, ok := strings.Cut(string(stat), ") ")
		require.True(t, ok)
		nice, err := strconv.Atoi(strings.Fields(fields)[16])
		require.NoError(t, err)
		values = append(values, nice)
	}
	return values
}

// TestL1IsUrgent: a level that lives from being in time runs before others that are due, all of its threads; those that do not stay as
// they were started.
func TestL1IsUrgent(t *testing.T) {
	t.Parallel()
	const own, urgent = 0, -10
	if got, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || 20-got != own { // as the system call gives it
		need.Skip(t, "the tests themselves have the nice value %d", 20-got)
	}
	for level, want := range map[string]int{"L0": own, "L1": urgent} {
		s := sensorAt(t, quiet(t), level)
		for _, nice := range niceness(t, s.cmd.Process.Pid) {
			require.Equal(t, want, nice, level)
		}
	}
}
