// Package idle_test measures what the whole sensor, as it is shipped, takes on a host where nothing happens.
package idle_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// For the README the sensor is watched for a minute.
var watch = flag.Duration("idle", 10*time.Second, "for how long the idle sensor is watched")

// tickerVariable makes this test binary the yardstick.
const tickerVariable = "BEACONWATCH_IDLE_TICKER"

// tick is the least that a process in Go does which looks after something once a second.
func tick() {
	for range time.Tick(time.Second) {
		_, _ = os.Lstat("/nonexistent")
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(tickerVariable) != "" {
		tick()
	}
	os.Exit(m.Run())
}

// TestIdle: at L3, in its default configuration, a sensor at rest is woken for one purpose a second. Its threads then go to sleep so
// often; two of three times it is that of the runtime, which looks after the others every 20 µs while they are awake. Traffic and
// processes of others wake it too: it has a minute to show itself at rest.
func TestIdle(t *testing.T) {
	const most = 70 // times a second that a thread goes to sleep: 20 to 40 on a quiet host, and 140 when each part had a ticker of its own
	need.Root(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "beaconwatch.ext")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../../../extension")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	socket := filepath.Join(dir, "socket")
	sensor := start(t, exec.Command(binary, "--listen_socket", socket, "--state_dir", filepath.Join(dir, "state")))
	atL3(t, binary, socket)
	yardstick := exec.Command("/proc/self/exe")
	yardstick.Env = append(os.Environ(), tickerVariable+"=1")
	ticker := start(t, yardstick)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		before, _ := during(t, 2*time.Second, sensor, ticker)
		require.Less(c, before.sleeps, float64(most), "it has only begun")
		its, least := during(t, *watch, sensor, ticker)
		t.Logf("%v at rest: %.3f %% of one core, its threads slept %.1f times a second; an empty program that ticks once a second: "+
			"%.3f %%, %.1f times; target 0.3 %%", *watch, its.percent, its.sleeps, least.percent, least.sleeps)
		require.Less(c, its.sleeps, float64(most))
	}, *watch+time.Minute, time.Second)
}

// rate is what a process uses: times a second that one of its threads goes to sleep, and of one core.
type rate struct{ sleeps, percent float64 }

// during returns what two processes use for a while.
func during(t *testing.T, d time.Duration, a, b int) (rate, rate) {
	began, a0, b0 := time.Now(), spent(t, a), spent(t, b)
	time.Sleep(d)
	passed, a1, b1 := time.Since(began).Seconds(), spent(t, a), spent(t, b)
	of := func(from, to usage) rate {
		return rate{sleeps: float64(to.sleeps-from.sleeps) / passed, percent: 100 * (to.cpu - from.cpu).Seconds() / passed}
	}
	return of(a0, a1), of(b0, b1)
}

// start runs a process until the test ends.
func start(t *testing.T, cmd *exec.Cmd) (pid int) {
	cmd.Stderr = io.Discard
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// atL3 waits until the sensor says how deep it looks.
func atL3(t *testing.T, binary, socket string) {
	require.Eventually(t, func() bool { _, err := os.Stat(socket); return err == nil }, 30*time.Second, 10*time.Millisecond)
	var rows []struct{ Level string }
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := exec.CommandContext(t.Context(), binary, "query", "--json", "--listen_socket", socket, "SELECT level FROM beacon_sensor_status").Output()
		require.NoError(c, err)
		require.NoError(c, json.Unmarshal(out, &rows))
		require.NotEqual(c, "none", rows[0].Level)
	}, 30*time.Second, 100*time.Millisecond)
	if rows[0].Level != "L3" {
		need.Skip(t, "the kernel grants %s only", rows[0].Level)
	}
}

// usage is what a process has used so far.
type usage struct {
	sleeps uint64 // times that a thread went to sleep, voluntary_ctxt_switches of proc_pid_status(5)
	cpu    time.Duration
}

func spent(t *testing.T, pid int) (u usage) {
	var ts unix.Timespec
	require.NoError(t, unix.ClockGettime(int32(^pid<<3|2), &ts)) // clock_getcpuclockid(3)
	u.cpu = time.Duration(ts.Nano())
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	require.NoError(t, err)
	require.NotEmpty(t, threads)
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
		line, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
		require.NoError(t, err)
		u.sleeps += n
	}
	return u
}
