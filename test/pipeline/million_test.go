package pipeline

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
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
			if n == 6 && h%1000 != 7 { // one program on one host in a thousand
				n = 5
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

// TestMillionsOfRows says how long each engine takes to load and to answer, and how much it stores. It loads the lines of the
// first thousand hosts and copies their rows for the others, by what an engine is fastest at; SQLite loads all lines. It runs
// only on request, make bench-fleet, and asserts nothing but the number of rows.
func TestMillionsOfRows(t *testing.T) {
	if *benchRows == 0 {
		t.Skip("only on request: -rows 10000000")
	}
	const chunk = 1000 // hosts
	chunks := max(1, *benchRows/rowsPerHost/chunk)
	start := map[string]func(*testing.T, int64) engine{"sqlite": newSQLite, "postgresql": newPostgreSQL, "clickhouse": newClickHouse}
	for _, name := range strings.Split(*benchEngines, ",") {
		require.Contains(t, start, name)
		t.Run(name, func(t *testing.T) {
			e := start[name](t, midnight+86_400)
			path := filepath.Join(room(t), "day.log")
			generate := func(from int) {
				f, err := os.Create(path)
				require.NoError(t, err)
				w := bufio.NewWriterSize(f, 1<<20)
				dayOf(w, from, from+chunk, rand.New(rand.NewPCG(uint64(from), 1)))
				require.NoError(t, w.Flush())
				require.NoError(t, f.Close())
			}
			generate(0)
			spent := took(t, e, func() { e.load(t, path) })
			t.Logf("%-16s %v for %d rows from lines, %.1f µs of CPU a row", "load", spent, chunk*rowsPerHost, float64(spent.cpu.Microseconds())/(chunk*rowsPerHost))
			spent = took(t, e, func() {
				for c := 1; c < chunks; c++ {
					if name == "sqlite" {
						generate(c * chunk)
						e.load(t, path)
						continue
					}
					e.exec(t, copyHosts(name, c))
				}
				if name == "postgresql" {
					e.exec(t, "VACUUM ANALYZE beacon_results")
				}
			})
			t.Logf("%-16s %v", "the rest", spent)
			rows := chunks * chunk * rowsPerHost
			require.Equal(t, fmt.Sprint(rows), e.query(t, "SELECT count(*) FROM beacon_results")[0][0])
			size := map[string]string{
				"sqlite":     "SELECT page_count * page_size / 1000000 FROM pragma_page_count, pragma_page_size",
				"postgresql": "SELECT sum(pg_total_relation_size(inhrelid))::bigint / 1000000 FROM pg_inherits WHERE inhparent = 'beacon_results'::regclass",
				"clickhouse": "SELECT intDiv(sum(bytes_on_disk), 1000000) FROM system.parts WHERE active AND table = 'beacon_result_rows'",
			}
			t.Logf("%-16s %d rows of %d hosts, %s MB", "stored", rows, chunks*chunk, e.query(t, size[name])[0][0])
			for _, r := range rollups(t) {
				var found int
				spent := took(t, e, func() { found = len(e.query(t, r.SQL)) })
				t.Logf("%-16s %v, %d rows", r.Name, spent, found)
			}
		})
	}
}

// copyHosts copies the rows of the first thousand hosts under other names.
func copyHosts(engine string, n int) string {
	table := map[string]string{"postgresql": "beacon_results", "clickhouse": "beacon_result_rows"}[engine]
	names := append(append([]string{"unix_time", "utc", "day", "host", "name", "query", "action", "kind", "epoch", "counter"}, columnNames()...), "columns", "row_hash")
	into := strings.Join(names, ", ")
	names[3] = fmt.Sprintf("'%d-' || host", n)
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE host LIKE 'host-%%'", table, into, strings.Join(names, ", "), table)
}

// duration is how long something took, and the CPU time that the engine spent on it.
type duration struct{ wall, cpu time.Duration }

func (d duration) String() string {
	return fmt.Sprintf("%8.2f s (%.2f s of CPU)", d.wall.Seconds(), d.cpu.Seconds())
}

func took(t *testing.T, e engine, do func()) duration {
	before, begun := cpu(t, e.pid()), time.Now()
	do()
	return duration{time.Since(begun), cpu(t, e.pid()) - before}
}

// cpu is the CPU time of a process, of its children, and of those that have ended, proc_pid_stat(5): PostgreSQL has a child
// for each session.
func cpu(t *testing.T, pid int) time.Duration {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var ticks int64
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
		if path != fmt.Sprintf("/proc/%d/stat", pid) && fields[1] != strconv.Itoa(pid) {
			continue
		}
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			n, err := strconv.ParseInt(field, 10, 64)
			require.NoError(t, err)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ
}
