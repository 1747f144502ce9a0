package table

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
)

const epoch = 1_700_000_000 // the recorded clock: boot time is time since 1970

// filled returns dependencies over a store with two programs: an implant, with a process still known, and a server agent.
func filled(t testing.TB) Deps {
	store, err := history.New(history.Config{})
	require.NoError(t, err)
	rules := filledRules(t)
	ranker, err := candidate.New(candidate.Config{Store: store, Grading: candidate.Grading{Inventory: rules.Set, Clock: boottime.Recorded()}})
	require.NoError(t, err)
	for i := range 20 {
		for _, p := range []struct {
			path, addr string
			pid        int32
		}{{"/tmp/\x1b[31mimplant\xff", "198.51.100.7:443", 7}, {"/usr/bin/agent", "[2001:db8::1]:8443", 8}} {
			store.Record(&history.Key{Program: process.Program{Path: p.path, UID: 4_000_000_000}}, process.ID{PID: p.pid, StartTicks: 5}, &send.Send{
				Socket: send.Socket{Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:40000"), Remote: netip.MustParseAddrPort(p.addr), NetNS: 4026531840},
				Kind:   send.Data, At: boottime.Time((epoch + time.Duration(60*i)) * time.Second), Bytes: 151, Received: 3 << 32, Sends: 1, Within: 4 * time.Millisecond})
		}
	}
	ranker.Refresh()
	live, err := sensor.New(sensor.Config{Ladders: []sensor.Ladder{{Protocol: "tcp", Rungs: []sensor.Rung{{Name: "sock_diag"}}}},
		Owner: func(*send.Send) (process.ID, process.Program, bool) {
			return process.ID{}, process.Program{}, false
		},
		Record: func(process.Program, process.ID, *send.Send) {}, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return Deps{Store: store, Ranker: ranker, Sensor: live, Clock: boottime.Recorded(), Role: "web server", Inventory: rules,
		Host: func() Host {
			return Host{PID: 42, Version: "v0", ResidentSize: 5 << 30, UserTime: 1500 * time.Millisecond}
		},
		Process: func(id process.ID) (process.Info, bool) {
			return process.Info{ID: id, Name: "implant\n", Cmdline: "implant \x07 --fast", Parent: process.ID{PID: 1},
				ParentPath: "/sbin/init", StartTime: time.Unix(epoch-100, 0), Exited: true}, id.PID == 7
		}}
}

// filledRules is an inventory with a rule for the server agent, and one that has expired.
func filledRules(t testing.TB) *inventory.Live {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	rule := "  - name: %s\n    comment: polls its server\n    owner: ops@example.org\n    expires: %s\n    reference: agent(8)\n" +
		"    program: {path: %s}\n    destinations: [{cidr: '2001:db8::/32', port: 8443}]\n    period: 1m\n"
	text := "rules:\n" + fmt.Sprintf(rule, "agent", "2100-01-01", "/usr/bin/agent") + fmt.Sprintf(rule, "old", "2020-01-01", "/usr/bin/old")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(text), 0o644))
	rules, err := inventory.Open(inventory.Config{Files: inventory.Files{Dir: dir}})
	require.NoError(t, err)
	return rules
}

// ask calls a table as osquery does.
func ask(t testing.TB, d Deps, name string, equal map[string]string) []map[string]string {
	type constraint struct {
		Op   int    `json:"op"`
		Expr string `json:"expr"`
	}
	type column struct {
		Name     string       `json:"name"`
		List     []constraint `json:"list"`
		Affinity string       `json:"affinity"`
	}
	query := struct {
		Constraints []column `json:"constraints"`
	}{Constraints: []column{}}
	for k, v := range equal {
		c := column{Name: k, Affinity: "TEXT", List: []constraint{}}
		for value := range strings.SplitSeq(v, ",") {
			c.List = append(c.List, constraint{int(table.OperatorEquals), value})
		}
		query.Constraints = append(query.Constraints, c)
	}
	text, err := json.Marshal(query)
	require.NoError(t, err)
	response := named(t, d, name).Call(context.Background(), map[string]string{"action": "generate", "context": string(text)})
	require.EqualValues(t, 0, response.Status.Code, response.Status.Message)
	return response.Response
}

func named(t testing.TB, d Deps, name string) Table {
	for _, p := range All(d) {
		if p.Name() == name {
			return p
		}
	}
	t.Fatalf("no table %s", name)
	return Table{}
}

func TestEveryColumnIsDescribedAndIndexedOnPurpose(t *testing.T) {
	indexed := map[string]bool{"pid": true, "path": true, "remote_address": true}
	for _, p := range All(filled(t)) {
		spec := p.Spec()
		require.NotEmpty(t, spec.Description, p.Name())
		require.NotEmpty(t, spec.Examples, p.Name())
		seen := map[string]bool{}
		for _, c := range spec.Columns {
			require.NotEmpty(t, c.Description, "%s.%s", p.Name(), c.Name)
			require.False(t, seen[c.Name], "%s.%s twice", p.Name(), c.Name)
			seen[c.Name] = true
			if !strings.HasPrefix(p.Name(), "beacon_sensor") {
				require.Equal(t, indexed[c.Name], c.Index, "%s.%s", p.Name(), c.Name)
			}
			require.NotZero(t, c.Options(), "%s.%s: without an option osquery would index it", p.Name(), c.Name)
		}
	}
}

func TestRowsFitTheirColumns(t *testing.T) {
	d := filled(t)
	for _, p := range All(d) {
		rows := ask(t, d, p.Name(), nil)
		require.NotEmpty(t, rows, p.Name())
		types := map[string]table.ColumnType{}
		for _, c := range p.Spec().Columns {
			types[c.Name] = c.Type
		}
		for _, r := range rows {
			for k, v := range r {
				kind, ok := types[k]
				require.True(t, ok, "%s has no column %s", p.Name(), k)
				require.NoError(t, fits(kind, v), "%s.%s = %q", p.Name(), k, v)
			}
		}
	}
}

// fits reports whether osquery can cast v to the type; an empty value is NULL.
func fits(kind table.ColumnType, v string) error {
	var err error
	switch {
	case v == "" && kind != table.ColumnTypeText:
	case kind == table.ColumnTypeInteger:
		_, err = strconv.ParseInt(v, 10, 32)
	case kind == table.ColumnTypeBigInt:
		_, err = strconv.ParseInt(v, 10, 64)
	case kind == table.ColumnTypeDouble:
		_, err = strconv.ParseFloat(v, 64)
	default:
		for _, r := range v {
			if r < 0x20 || r == 0x7f || r == '\uFFFD' {
				err = fmt.Errorf("control character %q", r)
			}
		}
	}
	return err
}

func TestCandidateRow(t *testing.T) {
	rows := ask(t, filled(t), "beacon_candidates", map[string]string{"pid": "7"})
	require.Len(t, rows, 1)
	r := rows[0]
	for column, want := range map[string]string{
		"scope": "destination", "pid": "7", "uid": "4000000000", "path": `/tmp/\x1b[31mimplant\xff`, "cmdline": `implant \a --fast`,
		"parent": "1", "parent_path": "/sbin/init", "start_time": "1699999900", "family": "2", "protocol": "6",
		"local_address": "10.0.0.5", "remote_address": "198.51.100.7", "remote_port": "443", "destination_class": "public",
		"first_seen": "1700000000", "last_seen": "1700001140", "beats": "20", "bytes_sent": "3020", "interval_ms": "60000",
		"size_bytes": "151", "timing_share": "1.000", "insufficient": "0", "network_facing": "-1", "expected": "0",
		"severity": "high", "suspicions": "world_writable_path=4", "rule": "", "rule_source": "", "role": "web server", "resolution_ms": "4", "quality": "exact", "interval_class": "1m",
		"size_class": "256B", "net_namespace": "4026531840",
	} {
		require.Equal(t, want, r[column], column)
	}
	score, err := strconv.ParseFloat(r["score"], 64)
	require.NoError(t, err)
	require.Greater(t, score, 0.9)
	require.Contains(t, r["reason"], "60 s")
}

// TestUnknownSizesAreNull: a source without byte counts sees beats of 0 bytes, which is not their size.
func TestUnknownSizesAreNull(t *testing.T) {
	d := filled(t)
	for i := range 20 {
		d.Store.Record(&history.Key{Program: process.Program{Path: "/usr/bin/datagrams"}}, process.ID{PID: 9}, &send.Send{
			Socket: send.Socket{Protocol: send.UDP, Remote: netip.MustParseAddrPort("198.51.100.9:53")},
			Kind:   send.Open, At: boottime.Time((epoch + time.Duration(60*i)) * time.Second), Within: time.Millisecond})
	}
	d.Ranker.Refresh()
	rows := ask(t, d, "beacon_candidates", map[string]string{"path": "/usr/bin/datagrams"})
	require.Len(t, rows, 1)
	for _, column := range []string{"size_bytes", "size_spread", "size_share"} {
		require.Empty(t, rows[0][column], column)
	}
	require.Equal(t, "0.000", rows[0]["size_evidence"])
	require.Equal(t, "60000", rows[0]["interval_ms"])
}

func TestEqualitiesArePushedDown(t *testing.T) {
	d := filled(t)
	for _, name := range []string{"beacon_candidates", "process_outbound_stats", "process_send_history"} {
		all := len(ask(t, d, name, nil))
		for _, tt := range []struct {
			column, value string
			want          int // share of all rows
		}{
			{"pid", "7", 2}, {"pid", "7,8", 1}, {"pid", "99", 0}, {"pid", "many", 0}, {"pid", "-1", 0},
			{"path", "/usr/bin/agent", 2}, {"path", "/nowhere", 0},
			{"remote_address", "198.51.100.7", 2}, {"remote_address", "::ffff:198.51.100.7", 2}, {"remote_address", "nowhere", 0},
			{"remote_address", "198.51.100.7,2001:db8::1", 1},
		} {
			want := 0
			if tt.want > 0 {
				want = all / tt.want
			}
			require.Len(t, ask(t, d, name, map[string]string{tt.column: tt.value}), want, "%s where %s = %s", name, tt.column, tt.value)
		}
	}
}

func TestHistoryRowsCarryTheProcessThatWasAskedFor(t *testing.T) {
	d := filled(t)
	d.Store.Record(&history.Key{Program: process.Program{Path: "/usr/bin/agent", UID: 4_000_000_000}}, process.ID{PID: 9, StartTicks: 6},
		&send.Send{Socket: send.Socket{Protocol: send.TCP, Remote: netip.MustParseAddrPort("[2001:db8::1]:8443")}, Kind: send.Data,
			At: boottime.Time((epoch + 5000) * time.Second), Bytes: 1})
	rows := ask(t, d, "process_send_history", map[string]string{"pid": "8"})
	require.Len(t, rows, 21, "one history for all processes of the program")
	require.Equal(t, "8", rows[0]["pid"])
	require.Equal(t, "1700000000000", rows[0]["time_ms"])
	require.Equal(t, "60000", rows[1]["interval_ms"])
	require.NotContains(t, rows[0], "interval_ms", "the first has none: NULL")
}

func TestStatusSaysSinceWhenItWatches(t *testing.T) {
	rows := ask(t, filled(t), "beacon_sensor_status", nil)
	require.Len(t, rows, 1)
	require.NotEmpty(t, rows[0]["start_time"])
	require.Equal(t, "none", rows[0]["level"])
	require.Equal(t, "5368709120", rows[0]["resident_size"])
	require.Equal(t, "1500", rows[0]["user_time"])
}

func TestRowsHoldWhatTheStatementReads(t *testing.T) {
	d := filled(t)
	for _, p := range All(d) {
		call := func(context string) []map[string]string {
			response := p.Call(t.Context(), map[string]string{"action": "generate", "context": context})
			require.EqualValues(t, 0, response.Status.Code, response.Status.Message)
			return response.Response
		}
		all := call(`{"constraints":[]}`)
		one := p.Spec().Columns[2].Name
		some := call(`{"constraints":[],"colsUsed":["` + one + `"]}`)
		require.Len(t, some, len(all), p.Name())
		if strings.HasPrefix(p.Name(), "beacon_sensor") {
			continue // a row or a few: not worth the trouble
		}
		var want []map[string]string // in any order: each call has its own
		for _, r := range all {
			kept := map[string]string{}
			if v, ok := r[one]; ok {
				kept[one] = v
			}
			want = append(want, kept)
		}
		require.ElementsMatch(t, want, some, p.Name())
		var names []string
		for _, c := range p.Spec().Columns {
			names = append(names, strconv.Quote(c.Name))
		}
		require.ElementsMatch(t, all, call(`{"constraints":[],"colsUsed":[`+strings.Join(names, ",")+`]}`), p.Name())
		for _, r := range call(`{"constraints":[],"colsUsed":[]}`) {
			require.Empty(t, r, "count(*) reads no column")
		}
	}
}

func TestVerdictsAndRulesAreRows(t *testing.T) {
	d := filled(t)
	r := ask(t, d, "beacon_candidates", map[string]string{"pid": "8"})[0]
	for column, want := range map[string]string{"expected": "1", "network_facing": "1", "severity": "info", "rule": "agent",
		"rule_source": "operator", "suspicions": ""} {
		require.Equal(t, want, r[column], column)
	}
	require.Contains(t, r["reason"], "; expected: operator rule agent covers this program, destination and period")
	require.Equal(t, "above_threshold,expected,regular_timing,sizes_ciphertext,uniform_sizes", r["reason_codes"])

	rows := ask(t, d, "process_network_baseline", nil)
	require.Len(t, rows, 2)
	for _, r := range rows {
		require.Equal(t, "1", r["destinations"])
		require.Equal(t, "1", r["periodic"])
		require.Equal(t, r["path"] == "/usr/bin/agent", r["expected"] == "1")
		require.Equal(t, "1700000000", r["first_seen"])
	}
	require.Len(t, ask(t, d, "process_network_baseline", map[string]string{"path": "/usr/bin/agent"}), 1)

	rules := ask(t, d, "beacon_inventory_rules", nil)
	require.Len(t, rules, 2)
	require.Equal(t, []string{"agent", "0", "1"}, []string{rules[0]["name"], rules[0]["expired"], rules[0]["used"]})
	require.Equal(t, []string{"old", "1", "0", "1577923200"}, []string{rules[1]["name"], rules[1]["expired"], rules[1]["used"], rules[1]["expires"]})
	require.Equal(t, "cidr 2001:db8::/32 port 8443", rules[0]["destinations"])

	status := ask(t, d, "beacon_sensor_status", nil)[0]
	require.Equal(t, []string{"2", "1"}, []string{status["rules"], status["rules_expired"]})
	require.Len(t, status["inventory_hash"], 64)
	require.Contains(t, status["inventory_error"], "rules.yaml:10:11: the rule old expired after 2020-01-01")
}

func TestRankIsPushedDown(t *testing.T) {
	d := filled(t)
	ranked := func(op int, value string) (paths []string) {
		response := named(t, d, "beacon_candidates").Call(t.Context(), map[string]string{"action": "generate",
			"context": fmt.Sprintf(`{"constraints":[{"name":"rank","affinity":"INTEGER","list":[{"op":%d,"expr":%q}]}]}`, op, value)})
		require.EqualValues(t, 0, response.Status.Code)
		for _, r := range response.Response {
			paths = append(paths, r["rank"])
		}
		return paths
	}
	require.Equal(t, []string{"1"}, ranked(int(table.OperatorLessThanOrEquals), "1"))
	require.Equal(t, []string{"1"}, ranked(int(table.OperatorLessThan), "2"))
	require.Equal(t, []string{"1", "2"}, ranked(int(table.OperatorEquals), "2"), "SQLite picks the one")
	require.Empty(t, ranked(int(table.OperatorLessThan), "-5"))
	require.Len(t, ranked(int(table.OperatorLessThan), "2.5"), 2)
	require.Len(t, ranked(int(table.OperatorGreaterThan), "1"), 2)
	require.Equal(t, "2", ask(t, d, "beacon_candidates", map[string]string{"pid": ask(t, d, "beacon_candidates", nil)[1]["pid"]})[0]["rank"])
}
