package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered is what a sensor says of the answers it has given, times in milliseconds.
type answered struct {
	delays, delay, taken, process float64
	at                            time.Time
}

func answeredBy(t require.TestingT, s *sensor) answered {
	row := one(t, s, "SELECT sql_delays, sql_delay_time, query_time, user_time + system_time AS process FROM beacon_sensor_status")
	return answered{number(t, row, "sql_delays"), number(t, row, "sql_delay_time"), number(t, row, "query_time"), number(t, row, "process"), time.Now()}
}

// TestAnswersKeepToTheirBudget: whoever asks for everything, again and again, is answered at once for a while, and then a second
// later each time; nobody is refused.
func TestAnswersKeepToTheirBudget(t *testing.T) {
	host, _ := network(t)
	dir := room(t)
	fullState(t, filepath.Join(dir, "state"), 2000, 64)
	s := startSensor(t, host, dir)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Greater(c, number(c, one(c, s, "SELECT count(1) AS n FROM beacon_candidates"), "n"), 1900.)
	}, patience, time.Second)
	everything := func() { require.Greater(t, len(ask(t, s, "SELECT * FROM beacon_candidates")), 1900) }
	asked := 0
	for began := answeredBy(t, s); answeredBy(t, s).delays == began.delays; asked++ {
		everything()
		require.Less(t, asked, 1000, "it is held up at last")
	}
	t.Logf("%d answers came at once", asked)
	require.Greater(t, asked, 10)

	const more = 10
	before := answeredBy(t, s)
	for range more {
		everything()
	}
	after := answeredBy(t, s)
	delays, delay, taken, process := after.delays-before.delays, after.delay-before.delay, after.taken-before.taken, after.process-before.process
	passed := float64(after.at.Sub(before.at).Milliseconds())
	t.Logf("%d more, %.0f delays of %.0f ms, %.0f of %.0f ms of CPU in %.0f ms: %.1f %% of a core", more, delays, delay/delays, taken, process, passed, 100*taken/passed)
	require.GreaterOrEqual(t, delays, float64(more))
	require.LessOrEqual(t, delay/delays, 1000.*1.05)
	require.GreaterOrEqual(t, delay, 500.*more, "each is that of a large answer")
	require.Less(t, taken, 0.3*passed)
}
