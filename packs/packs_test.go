package packs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

func TestFilesAreCurrent(t *testing.T) {
	require.NoError(t, Check("."), "run make packs")
}

func TestAnOutdatedFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Write(dir))
	require.NoError(t, Check(dir))
	changed, removed := filepath.Join(dir, "beacon-health.conf"), filepath.Join(dir, "tables.md")
	require.NoError(t, os.WriteFile(changed, []byte("{}"), 0o644))
	require.NoError(t, os.Remove(removed))
	err := Check(dir)
	require.ErrorContains(t, err, changed+" is not current: run make packs")
	require.ErrorContains(t, err, removed)
}

func shipped(t *testing.T) []pack.Query {
	t.Helper()
	queries, err := Queries()
	require.NoError(t, err)
	return queries
}

func TestEveryQueryIsInAPack(t *testing.T) {
	files, err := os.ReadDir("queries")
	require.NoError(t, err)
	queries := shipped(t)
	require.Len(t, queries, len(files))
	for _, name := range []string{pack.Detection, pack.Hunting, pack.Health, pack.Policy} {
		require.NotEmpty(t, pack.Of(queries, name), name)
	}
}

// TestTheAlertIsWhatOthersBuildOn holds the names that rollups and integrations use.
func TestTheAlertIsWhatOthersBuildOn(t *testing.T) {
	host, err := NewHost(table.Deps{}, nil)
	require.NoError(t, err)
	defer host.Close()
	for _, q := range shipped(t) {
		if q.Name != "beacon_alert" {
			continue
		}
		columns, err := Prepare(host)(q.SQL)
		require.NoError(t, err)
		require.Equal(t, []string{"alert_id", "signature", "severity", "expected", "reason_codes", "interval_class", "size_class"}, columns)
		require.Contains(t, q.SQL, "expected <> 1")
		require.False(t, q.Snapshot)
		require.True(t, q.KeepRemoved, "what is removed closes a case")
		return
	}
	t.Fatal("there is no query beacon_alert")
}

// growing are columns that change while nothing happens but time.
var growing = strings.Fields(`beats bytes_sent bytes_received confidence connections cpu cmdline deferred_lookups destinations evidence events
	failed_connections failed_share gaps interval_ms interval_median_ms jitter last_seen late_samples max_gap_ms net_namespace parent
	pid process_count reason resident_size resolution_ms samples score send_count send_events size_bytes size_evidence size_spread
	sparkline start_time system_time timing_chance timing_evidence timing_share tracked_pairs unattributed_sends user_time watching_s`)

func TestDifferentialQueriesSelectStableColumns(t *testing.T) {
	host, err := NewHost(table.Deps{}, nil)
	require.NoError(t, err)
	defer host.Close()
	for _, q := range shipped(t) {
		if q.Snapshot || q.Pack == pack.Policy {
			continue
		}
		columns, err := Prepare(host)(q.SQL)
		require.NoError(t, err)
		for _, c := range columns {
			if q.Name == "beacon_inventory_drift" && c == "start_time" {
				continue // the sensor's own: a restart is meant to be logged
			}
			require.False(t, slices.Contains(growing, c), "%s: %s", q.Name, c)
		}
	}
}

func TestNoAlertLooksAtCoverageRuns(t *testing.T) {
	for _, q := range pack.Of(shipped(t), pack.Detection) {
		require.NotContains(t, q.SQL, "coverage_run", "%s: who can mark a process as a test must not hide it", q.Name)
		require.NotRegexp(t, `(?i)select (distinct )?([a-z]\.)?\*`, q.SQL, "%s: a new column would change every row", q.Name)
	}
}

func TestReferenceNamesEveryColumnAndItsUnit(t *testing.T) {
	text := string(reference())
	for _, one := range table.All(table.Deps{}) {
		spec := one.Spec()
		_, section, found := strings.Cut(text, "\n## "+spec.Name+"\n")
		require.True(t, found, spec.Name)
		section, _, _ = strings.Cut(section, "\n## ")
		for _, c := range spec.Columns {
			require.Contains(t, section, "| `"+c.Name+"` | ", spec.Name)
			if strings.HasSuffix(c.Name, "_ms") {
				require.Equal(t, "ms", unit(c.Name, string(c.Type), c.Description), c.Name)
			}
			if strings.Contains(c.Name, "bytes") && c.Type != "TEXT" {
				require.Equal(t, "bytes", unit(c.Name, string(c.Type), c.Description), c.Name)
			}
		}
		for _, e := range spec.Examples {
			require.Contains(t, section, e)
		}
	}
}
