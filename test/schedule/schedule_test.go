package schedule

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

var start = time.Date(2026, 11, 8, 7, 6, 40, 0, time.UTC) // epoch second 1794121600

const packText = `{"platform": "linux", "queries": {
	"talkers": {"query": "SELECT path, beats FROM talkers", "interval": "60"},
	"quiet": {"query": "SELECT path FROM talkers", "interval": 60, "removed": false},
	"all": {"query": "SELECT * FROM talkers", "interval": 120, "snapshot": true}}}`

// bench is a daemon over a table whose rows the test sets.
type bench struct {
	rows               []map[string]string
	results, snapshots bytes.Buffer
	config             Config
}

func newBench(t *testing.T) *bench {
	b := &bench{}
	host, err := sqlhost.New(sqlhost.Config{})
	require.NoError(t, err)
	t.Cleanup(host.Close)
	require.NoError(t, host.RegisterTable(table.NewPlugin("talkers", []table.ColumnDefinition{
		table.TextColumn("path"), table.BigIntColumn("beats"),
	}, func(context.Context, table.QueryContext) ([]map[string]string, error) { return b.rows, nil })))
	pack, err := ParsePack("net", []byte(packText))
	require.NoError(t, err)
	b.config = Config{Host: "web-1", Querier: host, Results: &b.results, Snapshots: &b.snapshots, Packs: []Pack{pack}, Database: NewDatabase()}
	return b
}

func (b *bench) set(pairs ...string) {
	b.rows = nil
	for i := 0; i < len(pairs); i += 2 {
		b.rows = append(b.rows, map[string]string{"path": pairs[i], "beats": pairs[i+1]})
	}
}

// taken returns the lines written since the last call, without what is the same in all.
func taken(b *bytes.Buffer) []string {
	var lines []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		line = strings.ReplaceAll(line, `"hostIdentifier":"web-1",`, "")
		if from := strings.Index(line, `"calendarTime"`); from >= 0 {
			line = line[:from] + line[from+strings.Index(line[from:], `"epoch"`):]
		}
		lines = append(lines, strings.ReplaceAll(line, `"numerics":false,`, ""))
	}
	b.Reset()
	return lines
}

func TestLinesAreOsquerydsOwn(t *testing.T) {
	b := newBench(t)
	b.config.Decorations = map[string]string{"role": "web"}
	b.set("/usr/bin/a<b", "7")
	require.NoError(t, New(b.config).RunAll(t.Context(), start))
	require.Equal(t, `{"name":"pack_net_quiet","hostIdentifier":"web-1","calendarTime":"Sun Nov  8 07:06:40 2026 UTC",`+
		`"unixTime":1794121600,"epoch":0,"counter":0,"numerics":false,"decorations":{"role":"web"},`+
		`"columns":{"path":"/usr/bin/a<b"},"action":"added"}`, strings.SplitN(b.results.String(), "\n", 2)[0])
	require.Equal(t, `{"snapshot":[{"beats":"7","path":"/usr/bin/a<b"}],"action":"snapshot","name":"pack_net_all",`+
		`"hostIdentifier":"web-1","calendarTime":"Sun Nov  8 07:06:40 2026 UTC","unixTime":1794121600,"epoch":0,"counter":0,`+
		`"numerics":false,"decorations":{"role":"web"}}`+"\n", b.snapshots.String())
}

func TestDifferences(t *testing.T) {
	b := newBench(t)
	d := New(b.config)
	step := func(want ...string) {
		t.Helper()
		require.NoError(t, d.RunAll(t.Context(), start))
		require.Equal(t, want, taken(&b.results))
	}
	event := func(name, counter, columns, action string) string {
		return `{"name":"pack_net_` + name + `","epoch":0,"counter":` + counter + `,"columns":{` + columns + `},"action":"` + action + `"}`
	}
	b.set("a", "1", "a", "1", "b", "1")
	step(event("quiet", "0", `"path":"a"`, "added"), event("quiet", "0", `"path":"a"`, "added"), event("quiet", "0", `"path":"b"`, "added"),
		event("talkers", "0", `"beats":"1","path":"a"`, "added"), event("talkers", "0", `"beats":"1","path":"a"`, "added"),
		event("talkers", "0", `"beats":"1","path":"b"`, "added"))
	step() // nothing changed, nothing is said, nothing is counted
	b.set("b", "1", "a", "2", "a", "1")
	step(event("talkers", "1", `"beats":"1","path":"a"`, "removed"), event("talkers", "1", `"beats":"2","path":"a"`, "added"))
	b.set()
	step(event("talkers", "2", `"beats":"1","path":"a"`, "removed"), event("talkers", "2", `"beats":"1","path":"b"`, "removed"),
		event("talkers", "2", `"beats":"2","path":"a"`, "removed")) // quiet leaves removed rows out
}

func TestRestartsEpochsAndNewText(t *testing.T) {
	b := newBench(t)
	b.set("a", "1")
	run := func() []string {
		require.NoError(t, New(b.config).RunAll(t.Context(), start))
		return taken(&b.results)
	}
	require.Len(t, run(), 2)
	require.Empty(t, run(), "a restart that keeps the database has nothing to say")
	b.config.Epoch = 9
	require.Equal(t, []string{`{"name":"pack_net_quiet","epoch":9,"counter":0,"columns":{"path":"a"},"action":"added"}`,
		`{"name":"pack_net_talkers","epoch":9,"counter":0,"columns":{"beats":"1","path":"a"},"action":"added"}`}, run())
	b.config.Packs[0].Queries[2].SQL += " WHERE 1"
	b.set("a", "1", "b", "1")
	require.Equal(t, []string{`{"name":"pack_net_quiet","epoch":9,"counter":1,"columns":{"path":"b"},"action":"added"}`,
		`{"name":"pack_net_talkers","epoch":9,"counter":0,"columns":{"beats":"1","path":"b"},"action":"added"}`}, run(), "new text starts counting anew and still compares")
	b.config.Database = NewDatabase()
	require.Len(t, run(), 4, "a lost database is a dump")
}

func TestOtherShapesOfLines(t *testing.T) {
	b := newBench(t)
	b.config.Batched, b.config.SnapshotEvents, b.config.Numerics = true, true, true
	b.config.Name = func(_, query string) string { return "pack/Global/" + query }
	d := New(b.config)
	require.NoError(t, d.RunAll(t.Context(), start))
	require.Zero(t, d.Logged(), "nothing, in events, is no line")
	b.set("a", "1", "b", "")
	require.NoError(t, d.RunAll(t.Context(), start))
	require.Equal(t, []string{
		`{"diffResults":{"removed":[],"added":[{"path":"a"},{"path":"b"}]},"name":"pack/Global/quiet","epoch":0,"counter":1,"numerics":true}`,
		`{"diffResults":{"removed":[],"added":[{"beats":1,"path":"a"},{"beats":"","path":"b"}]},"name":"pack/Global/talkers","epoch":0,"counter":1,"numerics":true}`,
	}, taken(&b.results))
	require.Equal(t, []string{
		`{"name":"pack/Global/all","epoch":0,"counter":0,"numerics":true,"columns":{"beats":1,"path":"a"},"action":"snapshot"}`,
		`{"name":"pack/Global/all","epoch":0,"counter":0,"numerics":true,"columns":{"beats":"","path":"b"},"action":"snapshot"}`,
	}, taken(&b.snapshots))
}

func TestRunKeepsTheIntervals(t *testing.T) {
	b := newBench(t)
	var seconds int
	b.config.Advance = func(now time.Time) {
		seconds++
		b.set("a", strconv.FormatInt(now.Unix(), 10))
	}
	d := New(b.config)
	require.NoError(t, d.Run(t.Context(), start, start.Add(10*time.Minute)))
	require.Equal(t, 601, seconds)
	require.Len(t, taken(&b.snapshots), 5)
	require.Len(t, taken(&b.results), 1+1+9*2, "a row once, and one that changes with every run")
	require.NoError(t, d.Run(t.Context(), start, start.Add(10*time.Minute)))
	require.Equal(t, 601, seconds, "no second runs twice")

	b.config.Splay, b.config.Database = 10, NewDatabase()
	for _, q := range New(b.config).due {
		require.InDelta(t, q.Interval, q.splayed, float64(q.Interval)/10)
	}
}

func TestParsePackRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                                 "pack p: json: cannot unmarshal array",
		`{"queries": {}}`:                    "pack p has no queries",
		`{"queries": {"a": {"interval":1}}}`: "pack p: query a is empty",
		`{"queries": {"a": {"query":"SELECT 1", "interval":604801}}}`: "pack p: interval of a is 604801, not 1 to 604800 seconds",
	} {
		_, err := ParsePack("p", []byte(text))
		require.ErrorContains(t, err, want)
	}
}

func TestLogsAreAppended(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		logs, err := OpenLogs(dir)
		require.NoError(t, err)
		_, err = logs.Snapshots.WriteString("x\n")
		require.NoError(t, err)
		require.NoError(t, logs.Close())
	}
	text, err := os.ReadFile(filepath.Join(dir, "osqueryd.snapshots.log"))
	require.NoError(t, err)
	require.Equal(t, "x\nx\n", string(text))
}
