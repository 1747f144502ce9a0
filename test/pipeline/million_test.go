package pipeline

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	benchRows    = flag.Int("rows", 0, "measure the rollups over this many rows: 200 for each host")
	benchEngines = flag.String("engines", "clickhouse,postgresql,sqlite", "on which engines")
)

// rowsPerHost is what TestMillionsOfRows makes of a host in a day: 24 reports, 24 snapshots of 7 candidates, 8 changes of cases.
const rowsPerHost = 24 + 24*7 + 8

// dayOf writes the day of some hosts as lines.
func dayOf(w *bufio.Writer, from, to int, r *rand.Rand) {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	for h := from; h < to; h++ {
		host := fmt.Sprintf("host-%06d", h)
		head := func(query string, at int64) string {
			return fmt.Sprintf(`"name":"pack_beacon-x_%s","hostIdentifier":"%s","calendarTime":"Sun Nov  8 00:00:00 2026 UTC","unixTime":%d,"epoch":0,"counter":0,"numerics":false`, query, host, at)
		}
		signature := func(n int) string {
			if n == 6 { // one program in a thousand hosts
				n = 100 + h/1000
			}
			return fmt.Sprintf(`"signature":"/usr/lib/vendor-%d/bin/agent agent-%d.service tcp://192.0.2.%d:443","severity":"%s","expected":"0"`, n, n, n%250, pick("low", "medium", "high"))
		}
		for hour := range int64(24) {
			at := midnight + hour*3600 + int64(r.IntN(600))
			fmt.Fprintf(w, `{"snapshot":[{"level":"%s","role":"role-%d","version":"1.%d","inventory_hash":"%064x","config_hash":"%064x","send_events":"100000","unattributed_sends":"%d","samples":"36000","lost_events":"0","rules":"412"}],"action":"snapshot",%s}`+"\n",
				pick("L3", "L3", "L3", "L2"), h%20, h%50/49, h%20+h%1000/999, h%20, r.IntN(3000), head("beacon_sensor_health", at))
			fmt.Fprintf(w, `{"snapshot":[`)
			for n := range 7 {
				if n > 0 {
					w.WriteByte(',')
				}
				fmt.Fprintf(w, `{%s,"path":"/usr/lib/vendor-%d/bin/agent","script":"","cmdline":"/usr/lib/vendor-%d/bin/agent --config /etc/vendor-%d.conf","remote_address":"192.0.2.%d","remote_port":"443","protocol":"tcp","score":"0.%02d","evidence":"%d.5","beats":"%d","interval_ms":"%d","jitter":"0.05","interval_class":"64s","size_class":"256B","last_seen":"%d","reason_codes":"above_threshold,uniform_sizes"}`,
					signature(n), n, n, n, n, 50+r.IntN(50), r.IntN(90), 60*hour, 60_000+r.IntN(40), at-int64(r.IntN(60)))
			}
			fmt.Fprintf(w, `],"action":"snapshot",%s}`+"\n", head("beacon_candidates", at+1))
		}
		for n := range 8 {
			action := "added"
			if n%2 == 1 && r.IntN(2) == 0 {
				action = "removed"
			}
			fmt.Fprintf(w, `{%s,"columns":{%s,"interval_class":"64s","size_class":"256B"},"action":"%s"}`+"\n", head("beacon_alert", midnight+int64(n)*9000), signature(n/2), action)
		}
	}
}

// TestMillionsOfRows says how long each engine takes to load and to answer, and how much it stores. It runs only on request,
// make bench-fleet, and asserts nothing but the number of rows.
func TestMillionsOfRows(t *testing.T) {
	if *benchRows == 0 {
		t.Skip("only on request: -rows 10000000")
	}
	hosts := max(1, *benchRows/rowsPerHost)
	const now = midnight + 86_400
	start := map[string]func(*testing.T, int64) engine{"sqlite": newSQLite, "postgresql": newPostgreSQL, "clickhouse": newClickHouse}
	for _, name := range strings.Split(*benchEngines, ",") {
		require.Contains(t, start, name)
		t.Run(name, func(t *testing.T) {
			e := start[name](t, now)
			var loading time.Duration
			const chunk = 1000 // hosts a file: the disk holds one of them beside the tables
			path := filepath.Join(room(t), "day.log")
			for from := 0; from < hosts; from += chunk {
				f, err := os.Create(path)
				require.NoError(t, err)
				w := bufio.NewWriterSize(f, 1<<20)
				dayOf(w, from, min(from+chunk, hosts), rand.New(rand.NewPCG(uint64(from), 1)))
				require.NoError(t, w.Flush())
				require.NoError(t, f.Close())
				begun := time.Now()
				e.load(t, path)
				loading += time.Since(begun)
			}
			if name == "postgresql" {
				e.exec(t, "VACUUM ANALYZE beacon_results")
			}
			require.Equal(t, fmt.Sprint(hosts*rowsPerHost), e.query(t, "SELECT count(*) FROM beacon_results")[0][0])
			size := map[string]string{
				"sqlite":     "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
				"postgresql": "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'beacon_results'::regclass",
				"clickhouse": "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'beacon_result_rows'",
			}
			t.Logf("%-16s %8.1f s, %.1f µs a row, %s bytes stored", "load", loading.Seconds(), float64(loading.Microseconds())/float64(hosts*rowsPerHost), e.query(t, size[name])[0][0])
			for _, r := range rollups(t) {
				begun := time.Now()
				rows := e.query(t, r.SQL)
				t.Logf("%-16s %8.2f s, %d rows", r.Name, time.Since(begun).Seconds(), len(rows))
			}
		})
	}
}
