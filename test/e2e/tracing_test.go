package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// tracing starts a sensor that may use eBPF, in the namespace of the tests: its programs see all of the host, and process events
// are told in the first network namespace only. Where this kernel refuses, the test cannot run.
func tracing(t *testing.T) *sensor {
	t.Helper()
	return sensorAt(t, nil, "L3")
}

// sensorAt starts a sensor in a namespace that stands on a level, which this kernel may refuse.
func sensorAt(t *testing.T, where *namespace, level string, args ...string) *sensor {
	t.Helper()
	s := newSensor(t, where, append([]string{"--level", level}, args...)...)
	s.standsOn(t, level)
	return s
}

// standsOn waits until the sensor has a level, which must be the one.
func (s *sensor) standsOn(t *testing.T, level string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return one(t, s, "SELECT level FROM beacon_sensor_status")["level"] != "none"
	}, patience, 20*time.Millisecond)
	status := one(t, s, "SELECT level, level_reason FROM beacon_sensor_status")
	if status["level"] != level {
		need.Skip(t, "this kernel grants level %s only: %s", status["level"], status["level_reason"])
	}
}

// TestDatagramsAreCountedAtL3: a UDP beacon, which no other level sees the bytes of.
func TestDatagramsAreCountedAtL3(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := tracing(t)
	a := newActor(t, host, "datagrams")
	to := sinkFor(t, outside, "udp", public4)
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "udp", Address: to, Interval: 300 * time.Millisecond,
		Size: 77, Count: 12, For: time.Minute}})
	a.finish(t, patience)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT bytes_sent, beats, size_bytes, insufficient FROM beacon_candidates WHERE protocol = 17 AND path = "+quoted(a.path))
		require.EqualValues(c, 12*77, number(c, row, "bytes_sent"))
		require.EqualValues(c, 12, number(c, row, "beats"))
		require.EqualValues(c, 77, number(c, row, "size_bytes"))
		// when each was, as the sender has it: a busy machine sends late
		bursts := ask(c, s, "SELECT time_ms FROM process_send_history WHERE path = "+quoted(a.path)+" ORDER BY time_ms")
		require.Len(c, bursts, 12)
		for i, sent := range a.sent(t) {
			require.InDelta(c, float64(sent.UnixNano)/1e6, number(c, bursts[i], "time_ms"), 20)
		}
	}, patience, 100*time.Millisecond)
}

// TestOpenConnectionsBesideThePrograms: what a connection sends while it stays open is told send by send and once, be it one from
// before the programs, whose sends the sampler reads at every level, or a later one, which it follows at L2 alone.
func TestOpenConnectionsBesideThePrograms(t *testing.T) {
	for _, level := range []string{"L2", "L3"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			host, outside := network(t)
			to := sink(t, outside, public4)
			beats := func(a *actor, interval time.Duration, count int) *child {
				return a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to,
					Interval: interval, Size: 500, Count: count, For: time.Minute}})
			}
			elder, younger := newActor(t, host, "elder"), newActor(t, host, "younger")
			old := beats(elder, 6*time.Second, 3)
			require.Eventually(t, func() bool { return len(sentBy(t, old)) == 1 }, patience, 10*time.Millisecond)
			s := sensorAt(t, host, level)
			require.Len(t, elder.sent(t), 1, "too slow to tell: it has sent again")
			beats(younger, 400*time.Millisecond, 10)
			younger.finish(t, patience)
			elder.finish(t, 2*patience)
			awaitBytes(t, s, younger.path, 10*500)
			awaitBytes(t, s, elder.path, 2*500)
			for path, sends := range map[string]int{elder.path: 2, younger.path: 10} {
				rows := ask(t, s, "SELECT bytes FROM process_send_history WHERE bytes > 0 AND path = "+quoted(path))
				require.Len(t, rows, sends)
			}
		})
	}
}
