package pipeline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sound are the lines of a text that are JSON objects, as osqueryd writes them, broken the others; both without blank ones.
func sound(text string) (sound, broken []string) {
	for line := range strings.Lines(text) {
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.TrimSpace(line) == "":
		case line[0] == '{' && json.Valid([]byte(line)):
			sound = append(sound, line)
		default:
			broken = append(broken, line)
		}
	}
	return sound, broken
}

// sameLines compares without regard to order, and without printing megabytes.
func sameLines(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// TestRsyslogLosesNothing ships lines of every shape and of great length through both daemons, some written while one or
// the other is down, and finds each as it was, once: the broken ones in a file of their own, the others in the day's file
// and, as rows, in PostgreSQL.
func TestRsyslogLosesNothing(t *testing.T) {
	p := newPostgreSQL(t, 0).(*postgresql)
	hosts := room(t)
	log := filepath.Join(hosts, "web-1", "osqueryd.snapshots.log")
	require.NoError(t, os.Mkdir(filepath.Dir(log), 0o755))
	all := ""
	say := func(text string) {
		t.Helper()
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		all += text
	}
	c := startCollector(t, p)
	host := startHosts(t, c, hosts)
	arrived := func() {
		t.Helper()
		good, bad := sound(all)
		require.Eventually(t, func() bool {
			return len(linesOf(filepath.Join(c.logs, "2*.log"))) >= len(good) && len(linesOf(filepath.Join(c.logs, "rejected.log"))) >= len(bad)
		}, time.Minute, 50*time.Millisecond)
	}
	numbered := func(n int) string {
		return fmt.Sprintf(`{"name":"x","hostIdentifier":"h","unixTime":%d,"columns":{"script":"it's \\ %% $ \" caf\u00e9 日本"},"action":"added"}`+"\n", n)
	}
	say(strings.TrimLeft(shapes, "\n"))
	say(`{"snapshot":[` + strings.Repeat(`{"path":"/usr/bin/a","script":"one of very many rows in one long line"},`, 40_000) +
		`{"path":"/z"}],"action":"snapshot","name":"long","hostIdentifier":"web-1","unixTime":1,"epoch":0,"counter":0}` + "\n")
	arrived()

	c.stop()
	say(numbered(1001))
	c.start(t)
	arrived()

	host.stop()
	say(numbered(1002))
	host.start(t)
	arrived()

	require.NoError(t, os.Rename(log, log+".1")) // as logrotate does
	say(numbered(1003))
	arrived()

	good, bad := sound(all)
	require.True(t, sameLines(good, linesOf(filepath.Join(c.logs, "2*.log"))), "each as it was, once")
	require.True(t, sameLines(bad, linesOf(filepath.Join(c.logs, "rejected.log"))))
	want := newSQLite(t, 0)
	want.load(t, write(t, filepath.Join(room(t), "all.log"), strings.Join(good, "\n")))
	const counts = "SELECT query, action, kind, count(*), min(script), max(script) FROM beacon_results GROUP BY query, action, kind ORDER BY query, action, kind"
	require.Eventually(t, func() bool { return len(p.query(t, "SELECT 1 FROM beacon_results WHERE unix_time = 1003")) == 1 }, time.Minute, 50*time.Millisecond)
	require.Equal(t, want.query(t, counts), p.query(t, counts))
}
