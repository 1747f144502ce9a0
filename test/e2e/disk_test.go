package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// watchedBeat starts a sensor with its files in dir, and a beacon that goes on throughout; it returns both once the sensor has the
// beacon in its tables and, if kept, its histories on disk.
func watchedBeat(t *testing.T, host, outside *namespace, dir string, kept bool) (*sensor, *actor) {
	t.Helper()
	s := startSensor(t, host, dir, attentive, "--checkpoint_interval", "1s")
	a := newActor(t, host, "beacon")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 300 * time.Millisecond, Size: 151, Count: 1000, For: lifetime}})
	goesOn(t, s, a)
	require.Eventually(t, func() bool { return !kept || savedAt(t, s) > 0 }, patience, 50*time.Millisecond)
	return s, a
}

// goesOn waits until the tables have three further check-ins.
func goesOn(t *testing.T, s *sensor, a *actor) {
	t.Helper()
	const sql = "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE path = "
	before := number(t, one(t, s, sql+quoted(a.path)), "bytes")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.GreaterOrEqual(c, number(c, one(c, s, sql+quoted(a.path)), "bytes"), before+3*151)
	}, patience, 50*time.Millisecond)
}

func savedAt(t require.TestingT, s *sensor) float64 {
	return number(t, one(t, s, "SELECT checkpoint_time FROM beacon_sensor_status"), "checkpoint_time")
}

// awaitSaved waits until histories are on disk that are two seconds younger than those before.
func awaitSaved(t *testing.T, s *sensor, before float64) {
	t.Helper()
	require.Eventually(t, func() bool { return savedAt(t, s) >= before+2 }, patience, 50*time.Millisecond)
}

// awaitError waits until the status table tells of an error like that, and returns when histories were last saved.
func awaitError(t *testing.T, s *sensor, like string) float64 {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT last_error, last_error LIKE "+quoted(like)+" AS said FROM beacon_sensor_status")
		require.Equal(c, "1", row["said"], row["last_error"])
	}, patience, 50*time.Millisecond)
	return savedAt(t, s)
}

// mounted mounts a file system at the state directory in dir until the test ends.
func mounted(t *testing.T, dir, source, kind, data string) string {
	t.Helper()
	at := filepath.Join(dir, "state")
	require.NoError(t, os.MkdirAll(at, 0o700))
	if err := unix.Mount(source, at, kind, 0, data); err != nil {
		need.Skip(t, "mount %s: %v", kind, err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) })
	require.NoError(t, os.Chmod(at, 0o700))
	return at
}

// TestFullDisk: histories stay in memory while their file system has no room, and are on disk soon after it has. A sensor that is
// started meanwhile does without them.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	state := mounted(t, dir, "beaconwatch-e2e", "tmpfs", "size=64k,mode=0700")
	filler := filepath.Join(state, "filler")
	fill := func() {
		f, err := os.Create(filler)
		require.NoError(t, err)
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		require.ErrorIs(t, err, unix.ENOSPC)
	}
	s, a := watchedBeat(t, host, outside, dir, true)
	fill()
	saved := awaitError(t, s, "histories are in memory only: %: no space left on device")
	goesOn(t, s, a)
	require.Equal(t, saved, savedAt(t, s))
	require.NoError(t, os.Remove(filler))
	awaitSaved(t, s, saved)
	require.Zero(t, s.stop(t))

	fill()
	s, a = watchedBeat(t, host, outside, dir, false)
	saved = awaitError(t, s, "histories are in memory only: %: no space left on device")
	require.NoError(t, os.Remove(filler))
	awaitSaved(t, s, saved)
	goesOn(t, s, a)
	require.Zero(t, s.stop(t))
}

// TestReadOnlyDirectory: as on a full disk, with a directory that becomes read-only, or is when the sensor starts.
func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	state := mounted(t, dir, "beaconwatch-e2e", "tmpfs", "size=1m,mode=0700")
	protect := func() { // as another mount: the lock is open for writing in this one
		require.NoError(t, unix.Mount(state, state, "", unix.MS_BIND, ""))
		require.NoError(t, unix.Mount("", state, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	}
	s, a := watchedBeat(t, host, outside, dir, true)
	protect()
	saved := awaitError(t, s, "histories are in memory only: %: read-only file system")
	goesOn(t, s, a)
	require.Equal(t, saved, savedAt(t, s))
	require.NoError(t, unix.Unmount(state, unix.MNT_DETACH))
	awaitSaved(t, s, saved)
	require.Zero(t, s.stop(t))

	for _, before := range []string{"with a state", "without"} {
		if before == "without" {
			require.NoError(t, os.RemoveAll(filepath.Join(state, "lock")))
		}
		protect()
		s, a = watchedBeat(t, host, outside, dir, false)
		saved = awaitError(t, s, "histories are in memory only: %: read-only file system")
		out, err := exec.Command(beaconwatch(), placeIn(dir)...).CombinedOutput()
		require.Error(t, err, "one sensor per host, here as well")
		require.Contains(t, string(out), "a sensor is already running here")
		require.NoError(t, unix.Unmount(state, unix.MNT_DETACH))
		awaitSaved(t, s, saved)
		goesOn(t, s, a)
		require.Zero(t, s.stop(t))
	}
}

// FIFREEZE and FITHAW of linux/fs.h: nobody's write to the file system returns in between.
const (
	freeze = 0xc0045877
	thaw   = 0xc0045878
)

// TestStalledDisk: while the file system of the state directory takes nothing, everything but saving goes on, and the status table
// says that saving hangs. Afterwards it is caught up on.
func TestStalledDisk(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	image := filepath.Join(dir, "image")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 16<<20))
	for _, tool := range []string{"mkfs.ext4", "losetup"} {
		if _, err := exec.LookPath(tool); err != nil {
			need.Skip(t, "%s is not installed: %v", tool, err)
		}
	}
	out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		need.Skip(t, "no loop device: %v: %s", err, out)
	}
	device := string(out[:len(out)-1])
	t.Cleanup(func() { require.NoError(t, exec.Command("losetup", "--detach", device).Run()) })
	state := mounted(t, dir, device, "ext4", "")

	s, a := watchedBeat(t, host, outside, dir, true)
	disk, err := os.Open(state)
	require.NoError(t, err)
	defer disk.Close()
	require.NoError(t, unix.IoctlSetInt(int(disk.Fd()), freeze, 0))
	frozen := true
	release := func() {
		if frozen {
			frozen = false
			require.NoError(t, unix.IoctlSetInt(int(disk.Fd()), thaw, 0))
		}
	}
	defer release() // or nobody who writes there can be ended
	saved := awaitError(t, s, "histories are in memory only: the disk has not taken them for %")
	samples := number(t, one(t, s, "SELECT samples FROM beacon_sensor_status"), "samples")
	for range 3 {
		goesOn(t, s, a)
	}
	row := one(t, s, "SELECT samples, checkpoint_time, max_gap_ms FROM beacon_sensor_status")
	require.Greater(t, number(t, row, "samples"), samples+5)
	require.Equal(t, saved, number(t, row, "checkpoint_time"))
	score := one(t, s, fmt.Sprintf("SELECT score FROM beacon_candidates WHERE scope = 'destination' AND path = %s", quoted(a.path)))
	require.Greater(t, number(t, score, "score"), 0.5)
	release()
	awaitSaved(t, s, saved)
	require.Zero(t, s.stop(t))
}
