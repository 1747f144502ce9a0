package e2e

import (
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// TestLostProgramsFallBack: somebody takes the sensor's programs out of their places while a beacon runs. The sensor says so, goes
// on a level below, and the beacon's history goes on where it was: nothing is told twice, and at most what was under way is
// missing.
func TestLostProgramsFallBack(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := tracing(t)
	const beats, size = 60, 123
	a := newActor(t, host, "survivor")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 200 * time.Millisecond, Size: size, Count: beats, Reconnect: true, For: time.Minute}})
	stats := "SELECT connections, bytes_sent, first_seen FROM process_outbound_stats WHERE path = " + quoted(a.path)
	var before map[string]string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		before = one(c, s, stats)
		require.GreaterOrEqual(c, number(c, before, "connections"), 10.)
	}, patience, 20*time.Millisecond)

	detached := 0
	for _, id := range heldBy(t, s.pid()).links {
		l, err := link.NewFromID(id)
		require.NoError(t, err)
		if l.Detach() == nil { // only those in a cgroup can be
			detached++
		}
		require.NoError(t, l.Close())
	}
	if detached == 0 {
		need.Skip(t, "the sensor has no programs that can be detached: is there a cgroup2 hierarchy?")
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status := one(c, s, "SELECT level, level_reason FROM beacon_sensor_status")
		require.Equal(c, "L2", status["level"])
		require.Contains(c, status["level_reason"], "link has been severed") // ENOLINK
	}, patience, 20*time.Millisecond)

	a.finish(t, 30*time.Second)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		after := one(c, s, stats)
		require.Equal(c, before["first_seen"], after["first_seen"])
		require.GreaterOrEqual(c, number(c, after, "connections"), beats-2.)
		require.LessOrEqual(c, number(c, after, "connections"), float64(beats))
		require.GreaterOrEqual(c, number(c, after, "bytes_sent"), (beats-2.)*size)
		require.LessOrEqual(c, number(c, after, "bytes_sent"), float64(beats*size))
		candidate := one(c, s, "SELECT beats FROM beacon_candidates WHERE scope = 'destination' AND path = "+quoted(a.path))
		require.Greater(c, number(c, candidate, "beats"), beats/2., "those that a busy machine sends at once are one")
	}, patience, 100*time.Millisecond)
}
