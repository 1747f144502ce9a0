package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// cgroups mounts the unified hierarchy, cgroups(7), for one test and returns a group of its own in it. What the test
// makes there goes with it.
func cgroups(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		need.Skip(t, "control groups need root")
	}
	mount := filepath.Join(room(t), "cgroup")
	require.NoError(t, os.Mkdir(mount, 0o755))
	if err := unix.Mount("beaconwatch-e2e", mount, "cgroup2", 0, ""); err != nil {
		need.Skip(t, "cgroup2 cannot be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(mount, unix.MNT_DETACH)) })
	top := filepath.Join(mount, fmt.Sprintf("beaconwatch-e2e-%d", os.Getpid()))
	t.Cleanup(func() { removeGroups(t, top) })
	return top
}

// removeGroups removes a group and those below it: control groups have no contents to remove first.
func removeGroups(t *testing.T, group string) {
	t.Helper()
	entries, err := os.ReadDir(group)
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(t, filepath.Join(group, e.Name()))
		}
	}
	require.NoError(t, os.Remove(group))
}

// inGroup makes the group, if it is not there yet, and starts the actor's further processes in it.
func (a *actor) inGroup(t *testing.T, group string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(group, 0o755))
	dir, err := os.Open(group)
	require.NoError(t, err)
	t.Cleanup(func() { dir.Close() })
	a.attr.UseCgroupFD, a.attr.CgroupFD = true, int(dir.Fd())
}
