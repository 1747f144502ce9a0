package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestSocketsFromBeforeTheSensorAreTakenOver: what a connection sent before the sensor started is no send of now.
func TestSocketsFromBeforeTheSensorAreTakenOver(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	a := newActor(t, host, "elder")
	elder := a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 5 * time.Second, Size: 5000, Count: 3, For: time.Minute}})
	require.Eventually(t, func() bool { return len(sentBy(t, elder)) == 1 }, patience, 10*time.Millisecond)

	s := newSensor(t, host)
	sql := "SELECT bytes_sent, connections FROM process_outbound_stats WHERE path = " + quoted(a.path)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Greater(c, number(c, one(c, s, "SELECT samples FROM beacon_sensor_sources WHERE source = 'sock_diag'"), "samples"), 5.)
	}, patience, 50*time.Millisecond)
	early := ask(t, s, sql)
	require.Len(t, a.sent(t), 1, "too slow to tell: it has sent again")
	require.Empty(t, early)

	a.finish(t, patience)
	awaitBytes(t, s, a.path, 2*5000)
	require.Equal(t, "0", one(t, s, sql)["connections"], "it was opened before")
	require.Len(t, ask(t, s, "SELECT 1 FROM process_send_history WHERE bytes > 0 AND path = "+quoted(a.path)), 2)
}
