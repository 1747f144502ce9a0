package packages

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// unlimited is how a unit says that there is no limit, systemd.exec(5).
const unlimited = "infinity"

// resources are the limits of a process by the words of a unit, and how their values are written there.
var resources = map[string]struct {
	resource int
	value    func(string) (uint64, error)
}{
	"LimitMEMLOCK": {unix.RLIMIT_MEMLOCK, size},
	"LimitNICE": {unix.RLIMIT_NICE, func(nice string) (uint64, error) { // 20 less the nice value, getrlimit(2)
		n, err := strconv.Atoi(nice)
		return uint64(20 - n), err
	}},
}

// size is a number of bytes as units write it.
func size(text string) (uint64, error) {
	if text == unlimited {
		return unix.RLIM_INFINITY, nil
	}
	digits := strings.TrimRight(text, "KMGT")
	n, err := strconv.ParseUint(digits, 10, 64)
	if unit := text[len(digits):]; unit != "" {
		n <<= 10 * (1 + strings.Index("KMGT", unit))
	}
	return n, err
}

// limit puts this process under the limits that a unit sets for one. Without CAP_SYS_RESOURCE, which systemd has, none can be raised:
// such a one stays as it is, and granted says so.
func limit(settings map[string][]string) error {
	for key, values := range settings {
		if !strings.HasPrefix(key, "Limit") {
			continue
		}
		r, known := resources[key]
		if !known {
			return fmt.Errorf("%s is a limit this test does not know", key)
		}
		value, err := r.value(values[len(values)-1])
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: value, Max: value}); err != nil && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// granted reports whether a process has a limit as the unit sets it.
func granted(t *testing.T, settings map[string][]string, key string, pid int) bool {
	t.Helper()
	want, err := resources[key].value(settings[key][0])
	require.NoError(t, err)
	var has unix.Rlimit
	require.NoError(t, unix.Prlimit(pid, resources[key].resource, nil, &has))
	if has.Max != want {
		t.Logf("%s cannot be raised from %d to %d here", key, has.Max, want)
	}
	return has.Max == want
}

// group is a control group that has the MemoryMax and TasksMax of a unit; with hierarchies of version 1 two groups, cgroups(7).
type group struct{ memory, tasks string }

// newGroup makes one, in hierarchies mounted for this test alone.
func newGroup(t *testing.T, settings map[string][]string) group {
	t.Helper()
	memory, err := size(settings["MemoryMax"][0])
	require.NoError(t, err)
	tasks := settings["TasksMax"][0]
	if root, err := hierarchy(t, "cgroup2", ""); err == nil &&
		os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory +pids"), 0) == nil {
		dir := newDirectory(t, root)
		write(t, dir, "memory.max", strconv.FormatUint(memory, 10))
		write(t, dir, "pids.max", tasks)
		return group{dir, dir}
	}
	var g group
	for controller, dir := range map[string]*string{"memory": &g.memory, "pids": &g.tasks} {
		root, err := hierarchy(t, "cgroup", controller)
		if err != nil {
			need.Skip(t, "no control groups that limit %s: %v", controller, err)
		}
		*dir = newDirectory(t, root)
	}
	write(t, g.memory, "memory.limit_in_bytes", strconv.FormatUint(memory, 10))
	write(t, g.tasks, "pids.max", tasks)
	return g
}

// hierarchy mounts one until the test ends.
func hierarchy(t *testing.T, kind, controller string) (string, error) {
	root := t.TempDir()
	if err := unix.Mount("beaconwatch-packages", root, kind, 0, controller); err != nil {
		return "", err
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(root, unix.MNT_DETACH)) })
	return root, nil
}

func newDirectory(t *testing.T, root string) string {
	t.Helper()
	dir, err := os.MkdirTemp(root, "beaconwatch-packages-")
	require.NoError(t, err)
	t.Cleanup(func() { // the last of a group is in it for a moment after it was waited for
		require.Eventually(t, func() bool { return os.Remove(dir) == nil }, patience, 10*time.Millisecond)
	})
	return dir
}

func write(t *testing.T, dir, name, value string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(value), 0))
}

// join makes this process a member of groups.
func join(groups []string) error {
	for _, dir := range groups {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	return nil
}

// requireWithin finds the process in the group, under its limits, and that it never ran into one.
func (g group) requireWithin(t *testing.T, pid int) {
	t.Helper()
	for _, dir := range []string{g.memory, g.tasks} {
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(pid)+"\n", string(procs))
	}
	tasks, err := os.ReadFile(filepath.Join(g.tasks, "pids.events"))
	require.NoError(t, err)
	require.Equal(t, "max 0\n", string(tasks))
	if hits, err := os.ReadFile(filepath.Join(g.memory, "memory.failcnt")); err == nil {
		require.Equal(t, "0\n", string(hits))
		return
	}
	hits, err := os.ReadFile(filepath.Join(g.memory, "memory.events"))
	require.NoError(t, err)
	require.Contains(t, string(hits), "max 0\n")
}
