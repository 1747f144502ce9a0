package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// candidateLine is a line of the size of a candidate's row.
func candidateLine(n int) string {
	return event(fmt.Sprintf("host-%05d", n%50_000), "beacon_candidates", 1_790_000_000+n, n, "snapshot", fmt.Sprintf(
		`"signature":"/usr/bin/agent-%d cron tcp 192.0.2.%d:443","severity":"medium","expected":"0","path":"/usr/bin/agent-%d","script":"","cmdline":"/usr/bin/agent-%d --server 192.0.2.%d --interval 60",`+
			`"remote_address":"192.0.2.%d","remote_port":"443","protocol":"tcp","beats":"%d","interval_ms":"60000","jitter":"0.05","score":"0.93","evidence":"41.2","first_seen":"1789990000","last_seen":"1790000000",`+
			`"reason_codes":"above_threshold,uniform_sizes","reason":"61 beats every 60.0 s (±5 %%), payloads of 214 bytes"`, n%40, n%200, n%40, n%40, n%200, n%200, n))
}

// BenchmarkDecode reads lines of a candidate; the yardstick is encoding/json into the maps one would write.
func BenchmarkDecode(b *testing.B) {
	lines := make([][]byte, 1000)
	for i := range lines {
		lines[i] = []byte(strings.TrimSpace(candidateLine(i)))
	}
	b.Run("decoder", func(b *testing.B) {
		d, rows := newDecoder(), 0
		b.SetBytes(int64(len(lines[0])))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			require.NoError(b, d.decode(lines[i%len(lines)], func(row) error { rows++; return nil }))
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(lines[0])))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			var v struct {
				Name, HostIdentifier, Action string
				UnixTime, Epoch, Counter     int64
				Columns                      map[string]any
			}
			require.NoError(b, json.Unmarshal(lines[i%len(lines)], &v))
		}
	})
}

// BenchmarkLoad loads 20 000 new rows.
func BenchmarkLoad(b *testing.B) {
	const rows = 20_000
	var text bytes.Buffer
	for i := range rows {
		text.WriteString(candidateLine(i))
	}
	for b.Loop() {
		s := newStore(b, Config{})
		require.NoError(b, s.Load(b.Context(), "-", bytes.NewReader(text.Bytes())))
		require.EqualValues(b, rows, s.Stats().Rows)
		require.NoError(b, s.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/rows, "µs/row")
}
