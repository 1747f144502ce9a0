package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// answer is how long a sender keeps a connection open after its request, as one that waits for a slow answer does.
const answer = 700 * time.Millisecond

// TestService runs the sensor by itself and asks its own socket: a beacon over IPv4, one to an IPv6 address whose lower
// half is zero, and one over an IPv4-mapped address.
func TestService(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	beat := simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Interval: time.Second, Jitter: 0.1, Size: 151, Count: 16,
		For: time.Minute}
	anew := beat
	anew.Reconnect = true
	tests := []struct {
		name, address, family, class string
		part                         part
		connections                  string
	}{
		{"ipv4", public4, "2", "public", part{SenderConfig: beat}, "1"},
		{"ipv6", public6, "10", "public", part{SenderConfig: anew, Hold: answer}, "16"},
		{"mapped", private4, "2", "private", part{SenderConfig: anew, Hold: answer, Mapped: true}, "16"},
	}
	actors := make([]*actor, len(tests))
	for i, test := range tests {
		actors[i] = newActor(t, host, "beat-"+test.name)
		test.part.Address, test.part.Seed = sink(t, outside, test.address), uint64(i)
		actors[i].send(t, test.part)
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := actors[i]
			a.finish(t, 40*time.Second)
			record := a.sent(t)
			awaitBytes(t, s, a.path, bytesOf(record))

			stats := one(t, s, "SELECT * FROM process_outbound_stats WHERE path = "+quoted(a.path))
			require.Equal(t, strconv.Itoa(a.records[0].pid()), stats["pid"])
			require.Equal(t, test.address, stats["remote_address"])
			require.Equal(t, test.family, stats["family"])
			require.Equal(t, test.class, stats["destination_class"])
			require.Equal(t, test.connections, stats["connections"])
			require.Equal(t, "0", stats["failed_connections"])

			candidate := awaitBeats(t, s, a.path, len(record))
			require.InEpsilon(t, medianGap(record), number(t, candidate, "interval_ms"), 0.1)
			require.InDelta(t, 0.1, number(t, candidate, "jitter"), 0.08)
			require.Equal(t, "151", candidate["size_bytes"])
			require.Equal(t, "0", candidate["insufficient"])
			require.GreaterOrEqual(t, number(t, candidate, "score"), 0.5, candidate["reason"])
			require.Equal(t, stats["pid"], candidate["pid"])
			require.Equal(t, test.class, candidate["destination_class"])
			require.Equal(t, "-1", candidate["network_facing"], "nobody has said")

			joined := one(t, s, `SELECT c.remote_address, s.bytes_sent, count(h.time_ms) AS bursts FROM beacon_candidates c
				JOIN process_outbound_stats s USING (pid) JOIN process_send_history h USING (pid) WHERE c.pid = `+stats["pid"])
			require.Equal(t, map[string]string{"remote_address": test.address, "bytes_sent": stats["bytes_sent"], "bursts": "16"}, joined)
		})
	}
	statusOfService(t, s)
	requireMute(t, s.pid())
}

// awaitBeats waits until the program at path is ranked with so many beats and returns the row.
func awaitBeats(t *testing.T, q querier, path string, beats int) (row map[string]string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row = one(c, q, "SELECT * FROM beacon_candidates WHERE scope = 'destination' AND path = "+quoted(path))
		require.Equal(c, strconv.Itoa(beats), row["beats"])
	}, patience, 100*time.Millisecond)
	return row
}

func statusOfService(t *testing.T, s *sensor) {
	t.Helper()
	status := one(t, s, "SELECT *, strftime('%s') - start_time AS age FROM beacon_sensor_status")
	require.Equal(t, strconv.Itoa(s.pid()), status["pid"])
	require.Equal(t, "L0", status["level"], status["level_reason"])
	require.Equal(t, "sock_diag", status["tcp_source"])
	require.Equal(t, "udp_diag", status["udp_source"])
	require.Equal(t, "0", status["unattributed_sends"])
	require.Equal(t, "0", status["lost_events"])
	require.Empty(t, status["last_error"])
	age := number(t, status, "age")
	require.True(t, age >= 10 && age < 60, "with no history yet it says since when it watches: %v s", age)

	sources := ask(t, s, "SELECT source, protocol FROM beacon_sensor_sources WHERE active = 1 ORDER BY protocol")
	require.Equal(t, []map[string]string{{"source": "proc", "protocol": "raw"}, {"source": "sock_diag", "protocol": "tcp"},
		{"source": "udp_diag", "protocol": "udp"}}, sources)
	bytes := one(t, s, "SELECT bytes FROM beacon_sensor_sources WHERE source = 'sock_diag' AND protocol = 'tcp'")
	require.EqualValues(t, 3*16*151, number(t, bytes, "bytes"))
}
