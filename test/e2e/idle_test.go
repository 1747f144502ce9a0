package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// playListener waits for connections, as what runs in an idle container does.
func playListener() error {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	_, err = l.Accept()
	return err
}

// TestIdleNamespacesAreNearlyFree: of two sensors at a time, one watches 50 network namespaces with a listener each. Once they have
// come to rest not a single sample is taken in them, and the sensor costs little more than the other. It runs alone.
func TestIdleNamespacesAreNearlyFree(t *testing.T) {
	const boxes = 50
	var inodes []string
	for range boxes {
		box := newNamespace(t)
		inodes = append(inodes, box.inode(t))
		newActor(t, box, "resident").play(t, "listener", nil)
	}
	with, without := sensorAt(t, quiet(t), "L1", "--max_net_namespaces", "128"), sensorAt(t, quiet(t), "L1")
	sql := fmt.Sprintf(`SELECT total(samples) AS samples, count(*) AS sources, count(DISTINCT net_namespace) AS namespaces
		FROM beacon_sensor_sources WHERE active = 1 AND net_namespace IN (%s)`, strings.Join(inodes, ", "))
	var atRest map[string]string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		before := atRest
		atRest = one(c, with, sql)
		require.EqualValues(c, boxes, number(c, atRest, "namespaces"))
		require.Equal(c, before, atRest)
	}, patience, 700*time.Millisecond)

	busy := func(s *sensor) float64 {
		return number(t, one(t, s, "SELECT user_time + system_time AS busy FROM beacon_sensor_status"), "busy")
	}
	begun, one0, two0 := time.Now(), busy(with), busy(without)
	require.Eventually(t, func() bool { return time.Since(begun) >= 5*time.Second }, patience, 100*time.Millisecond)
	one1, two1, passed := busy(with), busy(without), float64(time.Since(begun).Milliseconds())
	require.Equal(t, atRest, one(t, with, sql))
	more := (one1 - one0 - two1 + two0) / passed
	t.Logf("%.2f %% of one core with %d idle namespaces, %.2f %% without, %.2f %% more; target 0.5 %%", 100*(one1-one0)/passed, boxes,
		100*(two1-two0)/passed, 100*more)
	require.Less(t, more, 0.05, "the processes of other tests are watched too")
}
