package e2e

import (
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

// TestLevelProcWhereSockDiagIsRefused runs the sensor under a real seccomp filter: it falls to /proc/net, says so with the
// reason, and still names who connects where. The budget lets it look every 100 ms: it can see no shorter connection.
func TestLevelProcWhereSockDiagIsRefused(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	cmd := exec.Command(filepath.Join(workshop, "actor"), append([]string{beaconwatch(), attentive}, placeIn(dir)...)...)
	cmd.Env = append(os.Environ(), roleVariable+"=filtered")
	s := &sensor{child: launch(t, host, cmd), dir: dir, socket: filepath.Join(dir, "sock")}
	s.attach(t)

	status := one(t, s, "SELECT * FROM beacon_sensor_status")
	require.Equal(t, "proc", status["level"])
	require.Equal(t, "proc", status["tcp_source"])
	require.Equal(t, "proc", status["udp_source"])
	require.Contains(t, status["level_reason"], "operation not permitted")
	require.Contains(t, status["blind"], "Payload sizes are not seen", "what that costs")
	require.Contains(t, status["blind"], "UDP is seen as sockets that open and close", "what that costs")
	for _, refused := range ask(t, s, "SELECT refused_errno, active FROM beacon_sensor_sources WHERE source IN ('sock_diag', 'udp_diag')") {
		require.Equal(t, map[string]string{"refused_errno": "1", "active": "0"}, refused)
	}
	require.Len(t, ask(t, s, "SELECT 1 FROM beacon_sensor_sources WHERE source = 'proc' AND active = 1"), 3)
	require.Equal(t, 1, strings.Count(s.errors.String(), "protocol=tcp source=sock_diag"), "the reason is logged once")

	a := newActor(t, host, "beat-proc")
	a.send(t, part{Hold: answer, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Interval: time.Second,
		Size: 200, Count: 12, Reconnect: true, For: time.Minute, Address: sink(t, outside, public4)}})
	a.finish(t, 30*time.Second)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		stats := one(c, s, "SELECT * FROM process_outbound_stats WHERE path = "+quoted(a.path))
		require.Equal(c, "12", stats["connections"])
		require.Equal(c, "0", stats["bytes_sent"], "/proc/net knows no bytes")
		require.Equal(c, public4, stats["remote_address"])
	}, patience, 100*time.Millisecond)
	candidate := awaitBeats(t, s, a.path, 12)
	require.InEpsilon(t, medianGap(a.sent(t)), number(t, candidate, "interval_ms"), 0.1, "connections have a rhythm too")
	require.Equal(t, "inferred", candidate["quality"])
}
