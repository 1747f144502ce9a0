package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// inode is by what the kernel names the namespace.
func (n *namespace) inode(t *testing.T) string {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(int(n.file.Fd()), &st))
	return strconv.FormatUint(st.Ino, 10)
}

// TestBeaconsInOtherNamespaces: a container is a process in a network namespace of its own, which comes and goes while the sensor
// runs. Whatever the level, its connections have its namespace and the process IDs of the host, and what was open before the
// sensor is followed like what comes later. TCP counts once, though at L2 and L3 a sampler stands beside the programs.
func TestBeaconsInOtherNamespaces(t *testing.T) {
	for _, level := range []string{"L3", "L2", "L1", "L0", "proc"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			host, outside := network(t)
			to := sink(t, outside, public4)
			beat := part{Hold: answer, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to, Interval: 300 * time.Millisecond,
				Size: 120, Count: 12, For: time.Minute}}
			elder := newActor(t, host, "elder-"+level)
			first := elder.send(t, beat)
			require.Eventually(t, func() bool { return len(sentBy(t, first)) > 0 }, patience, 10*time.Millisecond)

			s := sensorAt(t, quiet(t), level, "--max_net_namespaces", "64", attentive)
			source := map[string]string{"L3": "sock_diag", "L2": "sock_diag", "L1": "packet", "L0": "sock_diag", "proc": "proc"}[level]
			mine := fmt.Sprintf("FROM beacon_sensor_sources WHERE protocol = 'tcp' AND active = 1 AND samples > 0 AND net_namespace = %s", host.inode(t))
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.Equal(c, []map[string]string{{"source": source}}, ask(c, s, "SELECT source "+mine))
			}, patience, 20*time.Millisecond)
			early := bytesOf(elder.sent(t))
			younger := newActor(t, host, "younger-"+level)
			youngest := younger.send(t, beat)
			younger.finish(t, 30*time.Second)
			elder.finish(t, patience)

			sizes := map[string]int{elder.path: bytesOf(elder.sent(t)), younger.path: bytesOf(younger.sent(t))}
			require.Equal(t, 12*120, sizes[younger.path])
			pids := map[string]int{elder.path: first.pid(), younger.path: youngest.pid()}
			if level == "proc" {
				delete(pids, elder.path) // nothing tells that it sends
			}
			for path, pid := range pids {
				sql := "SELECT pid, net_namespace, bytes_sent, connections FROM process_outbound_stats WHERE path = " + quoted(path)
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					row := one(c, s, sql)
					require.Equal(c, strconv.Itoa(pid), row["pid"])
					require.Equal(c, host.inode(t), row["net_namespace"])
					switch bytes := number(c, row, "bytes_sent"); {
					case level == "proc":
						require.Zero(c, bytes, "/proc/net knows no bytes")
					case path == younger.path:
						require.EqualValues(c, sizes[path], bytes)
						require.Equal(c, "1", row["connections"])
					default: // what it sent before the sensor looked is history
						require.LessOrEqual(c, bytes, float64(sizes[path]-120))
						require.GreaterOrEqual(c, bytes, float64(sizes[path]-early))
						require.Equal(c, "0", row["connections"])
					}
				}, patience, 50*time.Millisecond, path)
			}
			if level != "proc" {
				require.EqualValues(t, 12, number(t, awaitBeats(t, s, younger.path, 12), "beats"))
			}

			// the namespace goes with the last process in it
			require.EventuallyWithT(t, func(c *assert.CollectT) { require.Empty(c, ask(c, s, "SELECT source "+mine)) }, patience, 50*time.Millisecond)
		})
	}
}

// TestNamespacesThatAreNotWatchedAreCounted: the bound on them is told.
func TestNamespacesThatAreNotWatchedAreCounted(t *testing.T) {
	t.Parallel()
	const boxes = 3
	for range boxes {
		launch(t, newNamespace(t), exec.Command("sleep", "60"))
	}
	s := newSensor(t, quiet(t), "--max_net_namespaces", "1")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT net_namespaces, net_namespaces_watched FROM beacon_sensor_status")
		require.GreaterOrEqual(c, number(c, row, "net_namespaces"), float64(boxes))
		require.Equal(c, "1", row["net_namespaces_watched"])
	}, patience, 20*time.Millisecond)
	require.Len(t, ask(t, s, "SELECT DISTINCT net_namespace FROM beacon_sensor_sources WHERE net_namespace > 0"), 1)
}
