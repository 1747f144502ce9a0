package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildDir holds the program while the tests run.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "beaconwatch-replay-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// program builds the program once and returns its path.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "beaconwatch.ext")
	build := exec.Command("go", "build", "-o", path, "github.com/beaconwatch/beaconwatch/extension")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// ask replays a file and returns the rows of a statement and what was said beside them.
func ask(t *testing.T, file string, sql string, flags ...string) (rows []map[string]any, said string) {
	path, err := program()
	require.NoError(t, err)
	args := append([]string{"replay", "--json"}, flags...)
	cmd := exec.Command(path, append(args, file, sql)...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	require.NoError(t, cmd.Run(), messages.String())
	require.NoError(t, json.Unmarshal(out.Bytes(), &rows), out.String())
	return rows, messages.String()
}

func number(t *testing.T, v any) float64 {
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	require.NoError(t, err)
	return f
}

func TestTheImplantsOfTheTraceAreFoundInSQL(t *testing.T) {
	rows, said := ask(t, "testdata/conn.log", `SELECT host, remote_address, remote_port, protocol, interval_ms, size_bytes, score
		FROM beacon_candidates WHERE scope = 'destination' AND insufficient = 0 AND score >= 0.5`)
	require.Contains(t, said, "1183 rows read")
	found := map[string]map[string]any{}
	for _, row := range rows {
		found[fmt.Sprintf("%s %s:%v", row["host"], row["remote_address"], row["remote_port"])] = row
	}
	for _, want := range []struct {
		pair            string
		interval, bytes float64
	}{
		{"10.0.0.10 198.51.100.7:443", 60, 151},
		{"10.0.0.11 198.51.100.7:443", 300, 163},
		{"10.0.0.12 192.0.2.53:53", 30, 37},
		{"fd00::15 2001:db8::7:443", 120, 208},
	} {
		row := found[want.pair]
		require.NotNil(t, row, want.pair)
		require.InEpsilon(t, want.interval*1000, number(t, row["interval_ms"]), 0.1, want.pair)
		require.InEpsilon(t, want.bytes, number(t, row["size_bytes"]), 0.02, want.pair)
		delete(found, want.pair)
	}
	delete(found, "10.0.0.13 198.51.100.99:8443") // the dead server: its attempts may or may not count as a rhythm
	require.Empty(t, found, "nothing else has a rhythm, and multicast is not outbound")
}

func TestTheTotalsOfTheTraceInSQL(t *testing.T) {
	rows, _ := ask(t, "testdata/conn.log", `SELECT failed_share, beats FROM beacon_candidates
		WHERE host = '10.0.0.13' AND scope = 'destination'`)
	require.Len(t, rows, 1)
	require.Equal(t, 1.0, number(t, rows[0]["failed_share"]))
	rows, _ = ask(t, "testdata/conn.log", `SELECT count(*) AS n FROM beacon_candidates WHERE host LIKE '203.%'`)
	require.Zero(t, number(t, rows[0]["n"]), "the scanner is not here")
}

func TestFlowsInSQL(t *testing.T) {
	var text bytes.Buffer
	for i, id := range []string{"one", "two"} {
		fmt.Fprintf(&text, `{"id":%q,"process":"/usr/bin/agent","destination":"c2.example:8443","sends":[`, id)
		for n := range 50 {
			fmt.Fprintf(&text, "[%d.25,%d],", n*30*(i+1)+n*n%3, 100+i)
		}
		text.WriteString("[99999,1]]}\n")
	}
	rows, _ := ask(t, files(t, text.Bytes())[0], `SELECT host, path, remote_hostname, remote_port, interval_ms FROM beacon_candidates
		WHERE scope = 'destination' ORDER BY host`)
	require.Len(t, rows, 2, "two lines are two pairs, although program and name are the same")
	for i, row := range rows {
		require.Equal(t, []string{"one", "two"}[i], row["host"])
		require.Equal(t, "/usr/bin/agent", row["path"])
		require.Equal(t, "c2.example", row["remote_hostname"])
		require.InEpsilon(t, 30000*float64(i+1), number(t, row["interval_ms"]), 0.1)
	}
}

// TestNoAddressIsInvented: a flow that does not say its destination has none in the rows, and can be asked for by that.
func TestNoAddressIsInvented(t *testing.T) {
	var text bytes.Buffer
	text.WriteString(`{"id":"a","sends":[`)
	for n := range 40 {
		fmt.Fprintf(&text, "[%d,150],", 60*n)
	}
	text.WriteString("[2400,150]]}\n")
	file := files(t, text.Bytes())[0]
	for table, count := range map[string]int{"beacon_candidates": 1, "process_send_history": 41, "process_outbound_stats": 1} {
		rows, _ := ask(t, file, "SELECT remote_address, remote_port, family, destination_class FROM "+table+" WHERE remote_address = ''")
		require.Len(t, rows, count, table)
		require.Equal(t, map[string]any{"remote_address": "", "remote_port": nil, "family": nil, "destination_class": ""}, rows[0], table)
	}
}

func TestAHostsOwnSeriesIsOutbound(t *testing.T) {
	var text bytes.Buffer
	send := func(at int, to string) {
		fmt.Fprintf(&text, `{"ts":%d.5,"id.orig_h":"10.0.0.7","id.orig_p":5000,"id.resp_h":%q,"id.resp_p":5353,`+
			`"proto":"udp","orig_bytes":50,"conn_state":"S0"}`+"\n", 1700000000+at, to)
	}
	for i := range 40 {
		send(60*i, "224.0.0.251")
		if i < 4 {
			send(60*i+7*i*i, "192.0.2.9")
		}
	}
	file := files(t, text.Bytes())[0]
	scopes := `SELECT scope, remote_address FROM beacon_candidates ORDER BY scope`
	rows, _ := ask(t, file, scopes)
	require.Equal(t, []map[string]any{{"scope": "destination", "remote_address": "192.0.2.9"}}, rows,
		"multicast makes neither a candidate nor part of one")
	rows, _ = ask(t, file, scopes, "--include", "multicast")
	require.Len(t, rows, 2)
}
