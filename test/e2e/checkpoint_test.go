package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestHistoriesSurviveTheSensor ends the sensor politely, then by force again and again while a beacon runs, and finds every
// check-in that was written, once.
func TestHistoriesSurviveTheSensor(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	a := newActor(t, host, "beat-restart")
	to := sink(t, outside, public4)
	send := func(beats int) {
		a.send(t, part{Hold: time.Second, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to,
			Interval: 200 * time.Millisecond, Size: 64, Count: beats, For: time.Minute}})
	}
	beats := func(q querier) int {
		return len(ask(t, q, "SELECT 1 FROM process_send_history WHERE path = "+quoted(a.path)+" AND bytes = 64"))
	}
	start := func() *sensor { return startSensor(t, host, dir, attentive, "--checkpoint_interval", "1s") }
	saved := func(t require.TestingT, s *sensor) float64 {
		return number(t, one(t, s, "SELECT checkpoint_time FROM beacon_sensor_status"), "checkpoint_time")
	}

	s := start()
	send(5)
	a.finish(t, patience)
	awaitBytes(t, s, a.path, 5*64)
	oldest := "SELECT pid, cmdline, username, first_seen FROM process_outbound_stats WHERE path = " + quoted(a.path) + " ORDER BY first_seen LIMIT 1"
	row := one(t, s, oldest)
	require.NotEmpty(t, row["cmdline"])
	require.Zero(t, s.stop(t))

	for want := 5; want < 8; want++ { // killed three times, each after one more check-in was written
		s = start()
		require.Equal(t, want, beats(s))
		send(1)
		a.finish(t, patience)
		awaitBytes(t, s, a.path, (want+1)*64)
		known := saved(t, s)
		require.EventuallyWithT(t, func(c *assert.CollectT) { require.Greater(c, saved(c, s), known+1) }, patience, 50*time.Millisecond)
		s.kill()
	}
	s = start()
	require.Equal(t, 8, beats(s))
	require.Equal(t, row, one(t, s, oldest), "what is known of the process has survived it and the sensor")

	t.Run("purge", func(t *testing.T) {
		out, err := exec.Command(beaconwatch(), append([]string{"purge"}, placeIn(dir)...)...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "has forgotten")
		require.Zero(t, beats(s))
		require.Zero(t, s.stop(t))
		s = start()
		require.Zero(t, beats(s))
		require.Zero(t, s.stop(t))
		out, err = exec.Command(beaconwatch(), append([]string{"purge"}, placeIn(dir)...)...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "purged 2 state files")
	})
	t.Run("a damaged file is set aside", func(t *testing.T) {
		file := filepath.Join(dir, "state", "histories")
		require.NoError(t, os.WriteFile(file, []byte("not a state file, but about as long as one has to be to be one: "+strconv.Itoa(1<<30)), 0o600))
		s := start()
		require.Contains(t, one(t, s, "SELECT last_error FROM beacon_sensor_status")["last_error"], "kept as "+file+".damaged")
		require.FileExists(t, file+".damaged")
		require.Zero(t, s.stop(t))
	})
}
