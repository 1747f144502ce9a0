package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crowd is a process that opens many connections, says so, and keeps them until it is ended.
type crowd struct {
	Address string
	Count   int
}

func playHolder() error {
	var c crowd
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return err
	}
	conns := make([]net.Conn, c.Count)
	for i := range conns {
		conn, err := net.Dial("tcp", c.Address)
		if err != nil {
			return err
		}
		conns[i] = conn
	}
	fmt.Println("all connected")
	_, err := conns[0].Read(make([]byte, 1)) // the sink never answers
	return err
}

// TestSteadySamplingKeepsToItsBudget watches 1 000 connections of one process and holds the CPU time of the whole sensor
// against the time that passes meanwhile: a ratio, however fast the machine.
func TestSteadySamplingKeepsToItsBudget(t *testing.T) {
	host, outside := network(t)
	s := newSensor(t, host)
	a := newActor(t, host, "holder")
	holder := a.play(t, "holder", crowd{Address: sink(t, outside, public4), Count: 1000})
	require.Eventually(t, func() bool { return contains(holder.out, "all connected") }, patience, 10*time.Millisecond)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, "1000", one(c, s, "SELECT connections FROM process_outbound_stats WHERE path = "+quoted(a.path))["connections"])
	}, patience, 100*time.Millisecond)

	const sql = "SELECT user_time + system_time AS cpu, samples, sample_period_ms FROM beacon_sensor_status"
	const budget, attempts = 0.02, 3 // of the whole sensor; a busy machine may need more than one
	for attempt := 1; ; attempt++ {
		begun, before := time.Now(), one(t, s, sql)
		require.Eventually(t, func() bool { return time.Since(begun) >= 6*time.Second }, patience, 100*time.Millisecond)
		after, passed := one(t, s, sql), time.Since(begun)
		share := (number(t, after, "cpu") - number(t, before, "cpu")) / float64(passed.Milliseconds())
		t.Logf("%.2f %% of one core over %s, looking for new connections every %s ms at the end", 100*share, passed, after["sample_period_ms"])
		require.Greater(t, number(t, after, "samples"), number(t, before, "samples"))
		if share < budget {
			return
		}
		require.Less(t, attempt, attempts, "the whole sensor takes no more than its budget")
	}
}
