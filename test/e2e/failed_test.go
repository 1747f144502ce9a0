package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// attempts is a process that tries to connect again and again, in vain. It records when each attempt failed.
type attempts struct {
	Address           string
	Count             int
	Every, PatientFor time.Duration
}

func playFailing() error {
	var a attempts
	if err := json.NewDecoder(os.Stdin).Decode(&a); err != nil {
		return err
	}
	tick := time.NewTicker(a.Every)
	for range a.Count {
		conn, err := net.DialTimeout("tcp", a.Address, a.PatientFor)
		if err == nil {
			return fmt.Errorf("connected to %s", conn.RemoteAddr())
		}
		if err := json.NewEncoder(os.Stdout).Encode(simulate.Sent{UnixNano: time.Now().UnixNano()}); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// TestFailedConnections: an attempt that fails is a send of its own kind, counted, in the rhythm of the attempts and not
// that of the SYN the kernel repeats after 1 s.
func TestFailedConnections(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host)
	closed := net.JoinHostPort(public4, portOf(t, sink(t, outside, private4))) // the port is open elsewhere only
	refused, lost := newActor(t, host, "refused"), newActor(t, host, "lost")
	refused.play(t, "failing", attempts{closed, 20, 700 * time.Millisecond, 5 * time.Second})
	lost.play(t, "failing", attempts{blackhole + ":443", 6, 4200 * time.Millisecond, 3500 * time.Millisecond})

	t.Run("refused at once", func(t *testing.T) {
		refused.finish(t, 40*time.Second)
		// a socket that lives for microseconds has no owner by the time it is seen; the attempts are counted all the same
		stats := awaitFailures(t, s, "remote_address = '"+public4+"'", 20)
		requireFailures(t, s, "remote_address = '"+public4+"'", refused.sent(t))
		require.True(t, stats["path"] == refused.path || number(t, one(t, s, "SELECT unattributed_sends FROM beacon_sensor_status"), "unattributed_sends") >= 20)
		candidates := ask(t, s, "SELECT * FROM beacon_candidates WHERE insufficient = 0 AND score >= 0.5 AND remote_address = '"+public4+"'")
		require.Empty(t, candidates, "hammering a dead server is one attempt")
	})
	t.Run("lost on the way", func(t *testing.T) {
		lost.finish(t, 40*time.Second)
		where := "path = " + quoted(lost.path)
		stats := awaitFailures(t, s, where, 6)
		require.Equal(t, blackhole, stats["remote_address"])
		requireFailures(t, s, where, lost.sent(t))
		candidate := awaitBeats(t, s, lost.path, 6)
		require.InEpsilon(t, medianGap(lost.sent(t)), number(t, candidate, "interval_ms"), 0.1)
		require.EqualValues(t, 1, number(t, candidate, "failed_share"))
	})
}

// awaitFailures waits until the one row of process_outbound_stats has so many failed connections, and nothing else.
func awaitFailures(t *testing.T, s *sensor, where string, want int) (stats map[string]string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		stats = one(c, s, "SELECT * FROM process_outbound_stats WHERE "+where)
		require.Equal(c, strconv.Itoa(want), stats["failed_connections"])
		require.Equal(c, "0", stats["connections"])
		require.Equal(c, "0", stats["bytes_sent"])
	}, patience, 100*time.Millisecond)
	return stats
}

// requireFailures holds the rows of process_send_history against the record: each attempt is one, and nothing else is.
func requireFailures(t *testing.T, s *sensor, where string, record []simulate.Sent) {
	t.Helper()
	history := ask(t, s, "SELECT failed, interval_ms FROM process_send_history WHERE "+where+" ORDER BY time_ms")
	require.Len(t, history, len(record))
	for i, h := range history {
		require.Equal(t, "1", h["failed"])
		if i > 0 {
			require.InDelta(t, (record[i].UnixNano-record[i-1].UnixNano)/1e6, number(t, h, "interval_ms"), 300)
		}
	}
}
