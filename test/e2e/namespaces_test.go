package e2e

import (
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

// isWatched waits until the sensor watches TCP in a namespace, in which a process must be, with a source of its own.
func (n *namespace) isWatched(t *testing.T, s *sensor, source string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, []map[string]string{{"source": source}}, ask(c, s, "SELECT source FROM beacon_sensor_sources WHERE protocol = 'tcp' AND active = 1 AND samples > 0 AND net_namespace = "+n.inode(t)))
	}, patience, 20*time.Millisecond)
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
			beat := func(a *actor, count int) *child {
				return a.send(t, part{Hold: answer, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to,
					Interval: 600 * time.Millisecond, Size: 120, Count: count, For: time.Minute}})
			}
			elder, younger := newActor(t, host, "elder-"+level), newActor(t, host, "younger-"+level)
			first := beat(elder, 90)
			require.Eventually(t, func() bool { return len(sentBy(t, first)) > 0 }, patience, 10*time.Millisecond)

			s := sensorAt(t, quiet(t), level, "--max_net_namespaces", "64", attentive)
			source := map[string]string{"L3": "sock_diag", "L2": "sock_diag", "L1": "packet", "L0": "sock_diag", "proc": "proc"}[level]
			host.isWatched(t, s, source)
			early := bytesOf(elder.sent(t))
			second := beat(younger, 8)
			younger.finish(t, 30*time.Second)

			of := func(c require.TestingT, a *actor, p *child) map[string]string {
				row := one(c, s, "SELECT pid, net_namespace, bytes_sent, connections FROM process_outbound_stats WHERE path = "+quoted(a.path))
				require.Equal(c, strconv.Itoa(p.pid()), row["pid"])
				require.Equal(c, host.inode(t), row["net_namespace"])
				return row
			}
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				row := of(c, younger, second)
				require.Equal(c, "1", row["connections"])
				if level == "proc" {
					require.Equal(c, "0", row["bytes_sent"], "/proc/net knows no bytes")
					return
				}
				require.EqualValues(c, 8*120, number(c, row, "bytes_sent"))
				row = of(c, elder, first)
				require.Equal(c, "0", row["connections"], "it was opened before")
				require.Greater(c, number(c, row, "bytes_sent"), 5.*120)
				require.LessOrEqual(c, number(c, row, "bytes_sent"), float64(bytesOf(elder.sent(t))-early+120), "what it sent before is history")
			}, patience, 50*time.Millisecond)
			if level != "proc" {
				awaitBeats(t, s, younger.path, 8)
			}
			first.stop(t)

			// the namespace goes with the last process in it
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.Empty(c, ask(c, s, "SELECT source FROM beacon_sensor_sources WHERE net_namespace = "+host.inode(t)))
			}, patience, 50*time.Millisecond)
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
