package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestStoppedSensor does not run for five seconds in the middle of traffic, as if it were suspended alone. It says so, misses no
// byte, and what it finds at once afterwards is no rhythm. What a host does that sleeps as a whole is in internal/source: there
// nobody sends meanwhile.
func TestStoppedSensor(t *testing.T) {
	t.Parallel()
	const stopped = 5 * time.Second
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	beat := simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Interval: 500 * time.Millisecond, Size: 151, Count: 32, For: lifetime}
	random := simulate.SenderConfig{Shape: simulate.Random, Network: "tcp", Interval: 200 * time.Millisecond, Size: 151, Spread: 50, Count: 80, For: lifetime, Seed: 7}
	anew := beat
	anew.Reconnect = true
	actors := map[string]*actor{}
	for name, p := range map[string]simulate.SenderConfig{"beat-on": beat, "beat-anew": anew, "poisson": random} {
		p.Address = sink(t, outside, public4)
		actors[name] = newActor(t, host, name)
		actors[name].send(t, part{SenderConfig: p})
	}
	beaten := func() int { return len(actors["beat-on"].sent(t)) }
	require.Eventually(t, func() bool { return beaten() >= 8 }, patience, 10*time.Millisecond)

	require.NoError(t, syscall.Kill(s.pid(), syscall.SIGSTOP))
	began := time.Now()
	before := beaten()
	<-time.After(stopped + 100*time.Millisecond)
	require.Greater(t, beaten(), before+5, "the others go on")
	require.NoError(t, syscall.Kill(s.pid(), syscall.SIGCONT))
	t.Log("stopped for", time.Since(began))

	for _, a := range actors {
		a.finish(t, lifetime)
	}
	awaitBytes(t, s, actors["beat-on"].path, bytesOf(actors["beat-on"].sent(t)))
	awaitBytes(t, s, actors["poisson"].path, bytesOf(actors["poisson"].sent(t)))
	all := 0
	for _, a := range actors {
		all += bytesOf(a.sent(t))
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { // those of its connections that were over when it went on are nobody's
		require.EqualValues(c, all, number(c, one(c, s, "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats"), "bytes"))
	}, patience, 100*time.Millisecond)
	status := one(t, s, "SELECT max_gap_ms, late_samples, lost_events, last_error FROM beacon_sensor_status")
	require.GreaterOrEqual(t, number(t, status, "max_gap_ms"), float64(stopped.Milliseconds()))
	require.Positive(t, number(t, status, "late_samples"))
	require.Equal(t, "0", status["lost_events"])
	require.Empty(t, status["last_error"])
	requireNoRhythm(t, s, actors["poisson"])
	beacon := one(t, s, "SELECT score, interval_ms, beats, max_gap_ms, reason FROM beacon_candidates WHERE scope = 'destination' AND path = "+quoted(actors["beat-on"].path))
	require.Greater(t, number(t, beacon, "score"), 0.5, "%v", beacon)
	require.InEpsilon(t, 500, number(t, beacon, "interval_ms"), 0.1)
	require.GreaterOrEqual(t, number(t, beacon, "max_gap_ms"), float64(stopped.Milliseconds()), "whoever reads the row is told of the gap")
}
