package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
)

// fleetOf runs the command and returns what it printed, what it said, and its error.
func fleetOf(in io.Reader, args ...string) (printed, said string, err error) {
	cmd := fleetCommand()
	var out, messages bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(&out)
	cmd.SetErr(&messages)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(context.Background())
	return out.String(), messages.String(), err
}

// fleetLog is a log of hosts that have an agent in common, and one an implant beside it.
func fleetLog(t *testing.T) string {
	var b strings.Builder
	line := func(host int, path string) {
		fmt.Fprintf(&b, `{"name":"pack_beacon-detection_beacon_alert","hostIdentifier":"host-%d","unixTime":1794121600,"epoch":0,"counter":0,"columns":`+
			`{"signature":"%s some.service tcp://192.0.2.1:443","path":"%s","severity":"high","score":"0.98","remote_address":"192.0.2.1","remote_port":"443"},"action":"added"}`+"\n", host, path, path)
	}
	for host := range 30 {
		line(host, "/usr/lib/monitoring-agent/bin/monitoring-agent")
	}
	line(7, "/tmp/.cache/a-path-that-is-much-longer-than-any-column-of-a-table-should-be/implant")
	path := filepath.Join(t.TempDir(), "results.log")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func TestFleetAnswersInEveryForm(t *testing.T) {
	log := fleetLog(t)
	printed, said, err := fleetOf(nil, log)
	require.NoError(t, err)
	require.Equal(t, "31 lines read, 31 rows\n", said)
	require.Contains(t, printed, "of_hosts")
	for line := range strings.Lines(printed) {
		require.LessOrEqual(t, text.StringWidth(strings.TrimSuffix(line, "\n")), 120)
	}

	printed, _, err = fleetOf(nil, "--json", log)
	require.NoError(t, err)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(printed), &rows))
	require.Equal(t, 1.0, rows[0]["hosts"], "a computed column of numbers")
	require.Contains(t, rows[0]["signature"], "implant", "the rare one comes first")

	printed, _, err = fleetOf(nil, "--csv", "--rollup", "cases", log)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(printed, "case_id,state,severity,opened,updated,closed,closed_by,queries,host,alert_id,signature\r\n"))

	in, err := os.Open(log)
	require.NoError(t, err)
	defer in.Close()
	printed, _, err = fleetOf(in, "--csv", "-", "SELECT count(*) AS n, columns ->> 'severity' AS severity FROM beacon_results GROUP BY 2")
	require.NoError(t, err)
	require.Equal(t, "n,severity\r\n31,high\r\n", printed)
}

func TestFleetKeepsADatabase(t *testing.T) {
	log, db := fleetLog(t), filepath.Join(t.TempDir(), "fleet.db")
	for range 2 {
		_, _, err := fleetOf(nil, "--db", db, log, log)
		require.NoError(t, err)
	}
	printed, said, err := fleetOf(nil, "--db", db, "--csv", "SELECT count(*) AS n FROM beacon_results")
	require.NoError(t, err)
	require.Equal(t, "n\r\n31\r\n", printed)
	require.Equal(t, "0 lines read, 0 rows\n", said)
}

func TestFleetReadsAssetsAndTime(t *testing.T) {
	log, assets := fleetLog(t), filepath.Join(t.TempDir(), "assets.csv")
	require.NoError(t, os.WriteFile(assets, []byte("host,role\nhost-1,web\n# a comment\n\n\"host-99\",\"db\"\n"), 0o600))
	printed, _, err := fleetOf(nil, "--rollup", "sensor_health", "--csv", "--assets", assets, "--now", "2026-11-08T10:06:41Z", log)
	require.NoError(t, err)
	require.Contains(t, printed, "missing,host-99,,1,")
	require.Contains(t, printed, "silent,host-1,,1,")
	printed, _, err = fleetOf(nil, "--rollup", "sensor_health", "--csv", "--now", "2026-11-08T10:06:41Z", "--silent-after", "4h", log)
	require.NoError(t, err)
	require.Contains(t, printed, "stopped,host-1,,0,", "it says something, but nothing of its sensor")
}

func TestFleetNamesWhatIsWrong(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	log := fleetLog(t)
	bad := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(bad, []byte("a,b,c\n"), 0o600))
	for name, tt := range map[string]struct {
		args []string
		want string
		code int
	}{
		"nothing":                 {nil, "fleet needs at least one file, or - for standard input", 2},
		"only SQL":                {[]string{"SELECT 1 FROM beacon_results"}, "fleet needs at least one file before the statement", 2},
		"rollup":                  {[]string{"--rollup", "x", log}, `there is no rollup "x"; --list lists them`, 2},
		"rollup and SQL":          {[]string{"--rollup", "alerts", log, "SELECT 1 AS x"}, "--rollup and a statement exclude each other", 2},
		"forms":                   {[]string{"--json", "--csv", log}, "--json and --csv exclude each other", 2},
		"time":                    {[]string{"--now", "yesterday", log}, `--now: "yesterday" is not a time such as 2026-11-28T05:00:00Z`, 2},
		"silence":                 {[]string{"--silent-after", "0s", log}, "--silent_after is 0s, it must be positive", 2},
		"show":                    {[]string{"--show", "x"}, `--show: there is no rollup and no engine "x"; --list lists the rollups, engines are clickhouse, clickhouse_cluster, postgresql, sqlite`, 2},
		"assets":                  {[]string{"--assets", bad, log}, "fleet: --assets " + bad + `: line 1: "a,b,c" is not a host, or a host and its role with a comma between`, 2},
		"no such file":            {[]string{"/no/such.log"}, "fleet /no/such.log: open /no/such.log: no such file or directory", 1},
		"unknown column":          {[]string{log, "SELECT nope FROM beacon_results"}, "fleet: SQL logic error: no such column: nope (1)", 1},
		"a statement that writes": {[]string{log, "DELETE FROM beacon_results"}, "fleet: attempt to write a readonly database (8)", 1},
	} {
		t.Run(name, func(t *testing.T) {
			printed, _, err := fleetOf(nil, tt.args...)
			require.EqualError(t, err, tt.want)
			require.Empty(t, printed)
			require.Equal(t, tt.code, exitCode(err, null))
		})
	}
}

func TestFleetNamesBadLinesAndLoadsTheRest(t *testing.T) {
	log := fleetLog(t)
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("{\"name\":\"x\"}\n" + `{"severity":0,"message":"m"}` + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	printed, said, err := fleetOf(nil, log, log)
	require.ErrorIs(t, err, errSilent)
	require.NotEmpty(t, printed)
	require.Equal(t, "64 lines read, 31 rows, 31 known already, 2 lines of the status log skipped, 2 bad lines\n"+
		"beaconwatch.ext: fleet "+log+":32: no hostIdentifier\nbeaconwatch.ext: fleet "+log+":32: no hostIdentifier\n", said)
}

func TestFleetShowsWhatItRuns(t *testing.T) {
	printed, _, err := fleetOf(nil, "--list", "--csv")
	require.NoError(t, err)
	require.Contains(t, printed, "\r\nprevalence,How common each beacon is: rare and regular comes first.\r\n")
	for _, name := range []string{"prevalence", "postgresql", "clickhouse", "clickhouse_cluster", "sqlite"} {
		printed, _, err := fleetOf(nil, "--show", name)
		require.NoError(t, err)
		require.Contains(t, printed, "beacon_results", name)
	}
}
