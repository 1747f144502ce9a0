package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// once is a sender that connects, sends, closes and ends.
func once(address string, size int, hold time.Duration) part {
	return part{Hold: hold, SenderConfig: simulate.SenderConfig{Shape: simulate.Once, Network: "tcp", Address: address, Size: size,
		Count: 1, For: time.Minute}}
}

// sendOften runs n one-shot processes of the actor, a few at a time.
func (a *actor) sendOften(t *testing.T, n, together int, p part) {
	t.Helper()
	var running sync.WaitGroup
	places := make(chan struct{}, together)
	for range n {
		places <- struct{}{}
		c := a.send(t, p)
		running.Go(func() { <-c.ended; <-places })
	}
	running.Wait()
	a.finish(t, patience)
}

// TestShortLivedProcessesThatWaitForAnAnswer: 200 processes connect, send, hold for 300 ms and exit. Every byte is counted,
// and named is who sent it, but for the few that a busy machine hides for so long.
func TestShortLivedProcessesThatWaitForAnAnswer(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	a := newActor(t, host, "holding")
	to := sink(t, outside, public4)
	a.sendOften(t, 200, 8, once(to, 333, 300*time.Millisecond))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.EqualValues(c, 200*333, number(c, one(c, s, "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE remote_port = "+portOf(t, to)), "bytes"))
	}, patience, 100*time.Millisecond)
	sql := "SELECT count(*) AS n FROM process_outbound_stats WHERE connections = 1 AND bytes_sent = 333 AND path = " + quoted(a.path)
	named := number(t, one(t, s, sql), "n")
	require.GreaterOrEqual(t, named, 190., "one row for each process")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, named, number(c, one(c, s, sql+" AND exited = 1"), "n"))
	}, 2*patience, 100*time.Millisecond)
	// the beginning, the payload and the end of each of the others
	require.LessOrEqual(t, number(t, one(t, s, "SELECT unattributed_sends FROM beacon_sensor_status"), "unattributed_sends"), 3*(200-named))
}

// TestConnectionsBetweenTwoSamples: with ten seconds between samples the destroy multicast alone tells of connections
// that last a millisecond. It gives every byte, and no owner: that is counted, never guessed.
func TestConnectionsBetweenTwoSamples(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, "--sample_period", "10s")
	to := sink(t, outside, public4)
	tests := []struct {
		name string
		send func(a *actor)
		size int
	}{
		{"one process, 200 connections", func(a *actor) {
			a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to, Interval: 5 * time.Millisecond,
				Size: 101, Count: 200, Reconnect: true, For: time.Minute}})
			a.finish(t, patience)
		}, 200 * 101},
		{"50 processes", func(a *actor) { a.sendOften(t, 50, 4, once(to, 57, 0)) }, 50 * 57},
	}
	reported, connections := 0, 0
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newActor(t, host, "fleeting")
			test.send(a)
			reported += test.size
			connections += len(a.sent(t))
			require.Equal(t, test.size, bytesOf(a.sent(t)))
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				row := one(c, s, "SELECT sum(bytes_sent) AS bytes, sum(connections) AS connections FROM process_outbound_stats WHERE remote_port = "+portOf(t, to))
				require.EqualValues(c, reported, number(c, row, "bytes"))
				require.EqualValues(c, connections, number(c, row, "connections"))
			}, patience, 100*time.Millisecond)
			unnamed := number(t, one(t, s, "SELECT sum(connections) AS n FROM process_outbound_stats WHERE pid = 0 AND path = ''"), "n")
			// the beginning, the payload and the end of each
			require.EqualValues(t, 3*unnamed, number(t, one(t, s, "SELECT unattributed_sends FROM beacon_sensor_status"), "unattributed_sends"))
		})
	}
}
