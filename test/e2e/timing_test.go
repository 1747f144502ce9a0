package e2e

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// jiffy is the timer tick of a kernel with CONFIG_HZ=100, the coarsest in use: 10 ms. Where the sensor tells a finer
// resolution, that is the tick.
const jiffy = 10 * time.Millisecond

// TestTimesAndBytesAgainstTheRecord samples every second, which is no faster than the senders send, and compares the
// history with what they recorded: at least 99 % of the bytes, and send times within a jiffy and 2 ms at the 95th
// percentile. It runs alone, because a busy machine also delays the senders between their record and the kernel.
func TestTimesAndBytesAgainstTheRecord(t *testing.T) {
	host, outside := network(t)
	s := newSensor(t, host, "--sample_period", "1s")
	to := sink(t, outside, public4)
	var actors []*actor
	for i := range 8 {
		a := newActor(t, host, fmt.Sprintf("timed-%d", i))
		a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to, Seed: uint64(i),
			Interval: time.Second + time.Duration(i)*50*time.Millisecond, Jitter: 0, Size: 100 + i, Count: 13, For: time.Minute}})
		actors = append(actors, a)
	}
	resolution := time.Duration(number(t, one(t, s,
		"SELECT resolution_ms FROM beacon_sensor_sources WHERE source = 'sock_diag' AND protocol = 'tcp'"), "resolution_ms")) * time.Millisecond
	require.True(t, resolution > 0 && resolution <= jiffy, "resolution %s", resolution)

	var errors []time.Duration
	sent := 0
	for _, a := range actors {
		a.finish(t, 40*time.Second)
		record := a.sent(t)
		sent += bytesOf(record)
		awaitBytes(t, s, a.path, bytesOf(record))
		errors = append(errors, timingErrors(t, s, a.path, record)...)
	}
	recorded := number(t, one(t, s, "SELECT sum(bytes) AS bytes FROM process_send_history"), "bytes")
	require.GreaterOrEqual(t, recorded, 0.99*float64(sent))
	require.LessOrEqual(t, recorded, float64(sent))

	slices.Sort(errors)
	median, p95 := errors[len(errors)/2], errors[len(errors)*95/100]
	t.Logf("%d sends, resolution %s: median error %s, 95th percentile %s, worst %s", len(errors), resolution, median, p95, errors[len(errors)-1])
	require.LessOrEqual(t, p95, resolution+2*time.Millisecond)
}

// timingErrors pairs each recorded check-in with the nearest micro-burst and returns how far they are apart: a second or so
// where two check-ins fell between two samples and were taken for one.
func timingErrors(t *testing.T, s *sensor, path string, record []simulate.Sent) []time.Duration {
	t.Helper()
	rows := ask(t, s, "SELECT time_ms, bytes, quality FROM process_send_history WHERE bytes > 0 AND path = "+quoted(path))
	require.LessOrEqual(t, len(rows), len(record))
	require.NotEmpty(t, rows)
	var errors []time.Duration
	for _, r := range record {
		nearest := time.Duration(math.MaxInt64)
		for _, row := range rows {
			ms, err := strconv.ParseInt(row["time_ms"], 10, 64)
			require.NoError(t, err)
			// whole milliseconds, cut: the middle of the millisecond is the fairest reading
			distance := time.Duration(ms*1e6 + 5e5 - r.UnixNano).Abs()
			nearest = min(nearest, distance)
		}
		errors = append(errors, nearest)
	}
	return errors
}
