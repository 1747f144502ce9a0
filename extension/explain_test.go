package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	osquery "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

// TestPartsAreThoseOfTheScore: what explain says of the parts of the evidence is what scoring does, with and without sizes.
func TestPartsAreThoseOfTheScore(t *testing.T) {
	scorer, err := beacon.NewScorer(beacon.Config{})
	require.NoError(t, err)
	tried := 0
	for _, beats := range []int{7, 12, 40, 400} {
		for _, every := range []time.Duration{time.Second, 5 * time.Second, time.Minute} {
			for _, sizes := range []int{1, 3} { // of one size, or of three
				s := beacon.Series{Resolution: time.Millisecond}
				for i := range beats {
					wobble := time.Duration(i*7919%100) * every / 1000
					s.At = append(s.At, time.Duration(i)*every+wobble)
					s.Bytes = append(s.Bytes, uint64(200+100*(i%sizes)))
				}
				with := scorer.Score(s)
				clear(s.Bytes)
				without := scorer.Score(s)
				if with.Codes.Has(beacon.SizeGroup) || without.Evidence <= 0 {
					continue
				}
				tried++
				ofTiming, ofSizes := parts(with.Evidence, with.SizeEvidence, false)
				name := fmt.Sprintf("%d beats every %v of %d sizes", beats, every, sizes)
				require.InDelta(t, without.Evidence, ofTiming, 1e-9, name)
				require.InDelta(t, with.Evidence, ofTiming+ofSizes, 1e-9, name)
				require.Equal(t, with.SizeEvidence > 0, ofSizes > 0, name)
			}
		}
	}
	require.Greater(t, tried, 12)
}

// TestExplainFindsAPairByAProcessThatIsGone: the row of a one-shot sender names its latest process, an alert an earlier one.
func TestExplainFindsAPairByAProcessThatIsGone(t *testing.T) {
	rows := func(pids ...string) []map[string]string {
		var all []map[string]string
		for _, pid := range pids {
			all = append(all, map[string]string{"pid": pid, "path": "/bin/bash", "script": "", "uid": "0", "remote_address": "203.0.113.5", "remote_port": "443"})
		}
		return append(all, map[string]string{"pid": "9", "path": "/bin/other", "uid": "0", "remote_address": "203.0.113.5", "remote_port": "443"})
	}
	host, err := newTableHost([]osquery.OsqueryPlugin{pairs("beacon_candidates", rows("1400")), pairs("process_outbound_stats", rows("1367", "1400"))}, nil)
	require.NoError(t, err)
	defer host.Close()
	for word, want := range map[string]int{"1367": 1, "1400": 1, "9": 1, "5": 0} {
		found, err := rowsOf(t.Context(), host, "SELECT path FROM beacon_candidates WHERE "+whichRow(word))
		require.NoError(t, err)
		require.Len(t, found, want, word)
	}
}

// pairs is a table with the columns that name a process and a destination.
func pairs(name string, rows []map[string]string) osquery.OsqueryPlugin {
	columns := []table.ColumnDefinition{table.BigIntColumn("pid", table.IndexColumn())}
	for _, c := range []string{"path", "script", "remote_address", "signature", "alert_id"} {
		columns = append(columns, table.TextColumn(c, table.OptimizedColumn()))
	}
	columns = append(columns, table.BigIntColumn("uid", table.OptimizedColumn()), table.IntegerColumn("remote_port", table.OptimizedColumn()))
	return table.NewPlugin(name, columns, func(context.Context, table.QueryContext) ([]map[string]string, error) { return rows, nil })
}

func TestExplainNamesWhatChangesTheGrade(t *testing.T) {
	uniform := inventory.Rhythm{Found: true, Sufficient: true, Uniform: true}
	require.Equal(t, []string{"no suspicion alone: without world_writable_path, general_purpose_tool it would be medium"},
		changes(uniform, []string{"world_writable_path", "general_purpose_tool", "no_package"}, []int{4, 2, 2}))
	require.Equal(t, []string{"without no_package it would be low"}, changes(uniform, []string{"no_package"}, []int{2}))
	require.Empty(t, changes(uniform, nil, nil))
}

func TestExplainAddsUpAndSaysWhatToDo(t *testing.T) {
	var out strings.Builder
	require.NoError(t, explain(&out, map[string]string{"signature": "/usr/bin/python3.11 /tmp/update/beacon.py @/user.slice tcp://127.0.0.1:9997", "scope": "destination",
		"path": "/usr/bin/python3.11", "script": "/tmp/update/beacon.py", "remote_address": "127.0.0.1", "remote_port": "9997", "protocol": "6",
		"destination_class": "loopback", "score": "0.999", "evidence": "15.110", "timing_evidence": "9.330", "size_evidence": "10.736", "interval_ms": "2000",
		"size_bytes": "300", "beats": "20", "expected": "0", "insufficient": "0", "suspicions": "world_writable_path=4,no_package=2",
		"reason_codes": "above_threshold,regular_timing,uniform_sizes", "last_seen": "1700060000", "first_seen": "1700000000"}))
	text := out.String()
	for _, want := range []string{"@/user.slice: the control group", "together: 9.330 × ", " = 15.110 nats", "No rule can make it expected\n",
		"anybody may put a program", "Instead: move it to where only root may write"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "if you can vouch for it")
	require.NotContains(t, text, "would be high")
}
