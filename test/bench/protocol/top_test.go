package protocol

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkTop is what one refresh of the live view costs both ends together, over 10 000 pairs.
func BenchmarkTop(b *testing.B) {
	host := hosted(b, filled(b, 10_000), ours)
	ask := func(sql string) {
		_, rows, err := host.Query(context.Background(), sql)
		require.NoError(b, err)
		require.NotEmpty(b, rows)
	}
	before := processorTime(b)
	for b.Loop() {
		ask("SELECT level, tracked_pairs, unattributed_sends, evictions, lost_events, start_time FROM beacon_sensor_status")
		ask("SELECT rank, scope, score, severity, expected, path, script, pid, uid, remote_address, remote_port, remote_hostname, destinations, interval_ms, jitter," +
			" size_bytes, beats, evidence, last_seen, sparkline, insufficient, signature, reason FROM beacon_candidates WHERE rank <= 200 ORDER BY rank")
	}
	b.ReportMetric(100*(processorTime(b)-before).Seconds()/float64(b.N), "%core-at-1Hz")
}

func processorTime(b testing.TB) time.Duration {
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
