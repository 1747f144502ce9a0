package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestSecondInstanceRelays starts a sensor as a service and a second instance beside it, as an osquery that autoloads the
// extension does.
func TestSecondInstanceRelays(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	first := newSensor(t, host)
	a := newActor(t, host, "beat-relay")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 300 * time.Millisecond, Size: 64, Count: 8, For: time.Minute}})
	a.finish(t, patience)
	awaitBytes(t, first, a.path, 8*64)
	awaitBeats(t, first, a.path, 8)

	at := filepath.Join(room(t), "em")
	daemon := newOsqueryd(t, at)
	second := launch(t, host, exec.Command(beaconwatch(), append(placeIn(first.dir), asExtension(at)...)...))
	require.Equal(t, fmt.Sprint(first.pid()), awaitTables(t, daemon)["pid"], "one sensor, whoever is asked")

	t.Run("rows are those of the sensor", func(t *testing.T) {
		for _, sql := range []string{
			"SELECT * FROM beacon_candidates ORDER BY path, remote_address, remote_port, scope",
			"SELECT * FROM process_outbound_stats WHERE path = " + quoted(a.path),
			"SELECT * FROM process_send_history WHERE remote_address IN ('" + public4 + "', 'nowhere') ORDER BY time_ms",
			"SELECT pid, version, level, start_time, config_hash FROM beacon_sensor_status",
			"SELECT source, protocol, active, net_namespace FROM beacon_sensor_sources",
		} {
			rows := ask(t, daemon, sql)
			require.NotEmpty(t, rows, sql)
			// a column that changes by itself, such as max_gap_ms, may change between the two answers
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.Equal(c, ask(c, first, sql), ask(c, daemon, sql), sql)
			}, patience, 50*time.Millisecond)
		}
	})
	t.Run("it does not watch", func(t *testing.T) {
		require.Positive(t, kernelSources(t, first.pid()))
		require.Zero(t, kernelSources(t, second.pid()))
	})
	t.Run("a third without osquery has nothing to do", func(t *testing.T) {
		third := launch(t, host, exec.Command(beaconwatch(), append(placeIn(first.dir), "--listen_socket", filepath.Join(room(t), "other"))...))
		require.Equal(t, 1, third.wait(t, patience))
		require.Equal(t, "beaconwatch.ext: a sensor is already running here; ask it with: beaconwatch.ext query --listen_socket "+first.socket+"\n", third.errors.String())
	})
	t.Run("the sensor ends and another begins", func(t *testing.T) {
		require.Zero(t, first.stop(t))
		_, _, err := daemon.Query(t.Context(), "SELECT pid FROM beacon_sensor_status")
		require.ErrorContains(t, err, "the running sensor does not answer on "+first.socket)
		again := startSensor(t, host, first.dir)
		require.Equal(t, fmt.Sprint(again.pid()), one(t, daemon, "SELECT pid FROM beacon_sensor_status")["pid"])
		require.Zero(t, kernelSources(t, second.pid()), "a relay stays one")
		require.Zero(t, second.stop(t))
		require.Zero(t, again.stop(t))
	})
}

// kernelSources counts the descriptors with which a process reads the kernel's sockets: netlink sockets, which
// /proc/PID/net/netlink lists by inode, and files of /proc/net.
func kernelSources(t *testing.T, pid int) (count int) {
	t.Helper()
	netlink, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", pid))
	require.NoError(t, err)
	inodes := map[string]bool{}
	for line := range strings.Lines(string(netlink)) {
		fields := strings.Fields(line)
		inodes["socket:["+fields[len(fields)-1]+"]"] = true
	}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, fd := range fds {
		target, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if err == nil && (inodes[target] || strings.Contains(target, "/net/")) {
			count++
		}
	}
	return count
}
