package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestL1WithoutEBPF: the sizes and times of UDP datagrams, and the owners of connections too brief for a sample, by packet
// sockets. What is told twice, by SYN and sampler or by packet socket and UDP_DIAG, counts once.
func TestL1WithoutEBPF(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := sensorAt(t, host, "L1")
	require.Equal(t, map[string]string{"tcp_source": "packet", "udp_source": "packet"},
		one(t, s, "SELECT tcp_source, udp_source FROM beacon_sensor_status"))
	for _, protocol := range []string{"tcp", "udp"} {
		require.Equal(t, []map[string]string{{"source": "packet"}},
			ask(t, s, "SELECT source FROM beacon_sensor_sources WHERE active = 1 AND protocol = "+quoted(protocol)), "one source owns a protocol")
	}

	t.Run("datagrams", func(t *testing.T) {
		a := newActor(t, host, "datagrams")
		to := sinkFor(t, outside, "udp", public4)
		a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "udp", Address: to, Interval: 300 * time.Millisecond,
			Size: 77, Count: 12, For: time.Minute}})
		a.finish(t, patience)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			row := one(c, s, "SELECT bytes_sent, beats, size_bytes, interval_ms, quality FROM beacon_candidates WHERE protocol = 17 AND path = "+quoted(a.path))
			require.EqualValues(c, 12*77, number(c, row, "bytes_sent"))
			require.EqualValues(c, 12, number(c, row, "beats"))
			require.EqualValues(c, 77, number(c, row, "size_bytes"))
			require.InDelta(c, 300, number(c, row, "interval_ms"), 30)
		}, patience, 100*time.Millisecond)
	})
	t.Run("connections", func(t *testing.T) {
		const processes = 60
		a := newActor(t, host, "oneshot")
		to := sink(t, outside, public4)
		a.sendOften(t, processes, 2, once(to, 333, 20*time.Millisecond))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			row := one(c, s, "SELECT sum(bytes_sent) AS bytes, sum(connections) AS connections FROM process_outbound_stats WHERE remote_port = "+portOf(t, to))
			require.EqualValues(c, processes*333, number(c, row, "bytes"))
			require.EqualValues(c, processes, number(c, row, "connections"))
		}, patience, 100*time.Millisecond)
		named := number(t, one(t, s, "SELECT count(*) AS n FROM process_outbound_stats WHERE connections = 1 AND bytes_sent = 333 AND path = "+quoted(a.path)), "n")
		t.Logf("%v of %d named", named, processes)
		require.GreaterOrEqual(t, named, 0.5*processes)
	})
}
