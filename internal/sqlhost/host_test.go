package sqlhost

import (
	"context"
	"testing"
	"time"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

func newHost(t testing.TB, config Config, tables ...Table) *Host {
	t.Helper()
	h, err := New(config)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	for _, tb := range tables {
		require.NoError(t, h.RegisterTable(tb))
	}
	return h
}

func query(t testing.TB, h *Host, sql string) [][]string {
	t.Helper()
	_, rows, err := h.Query(t.Context(), sql)
	require.NoError(t, err, sql)
	return rows
}

func TestSmoke(t *testing.T) {
	h := newHost(t, Config{})
	t.Log(query(t, h, "SELECT * FROM osquery_info"))
	t.Log(query(t, h, "SELECT * FROM time"))
	t.Log(query(t, h, "SELECT registry, name FROM osquery_registry WHERE name LIKE 'o%'"))
	t.Log(h.Columns(t.Context(), "SELECT pid, count(*) c FROM osquery_info"))
	for _, bad := range []string{"SELEC 1", "SELECT nosuch FROM time", "SELECT 1 FROM nosuch", "SELECT 1; SELECT 2", "INSERT INTO time VALUES (1)", "ATTACH 'x' AS y",
		"PRAGMA temp_store=1", "CREATE TEMP TABLE x(y)", "SELECT load_extension('x')", "SELECT run_nested(1)", "", "-- x", "BEGIN", "SELECT zeroblob(100000000)",
		"VACUUM INTO '/tmp/x'", "DROP TABLE time", "ANALYZE", "PRAGMA table_info(time)", "EXPLAIN SELECT 1", "EXPLAIN QUERY PLAN SELECT * FROM time", "SELECT sqlite_version()"} {
		_, rows, err := h.Query(t.Context(), bad)
		t.Log(bad, "=>", len(rows), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := h.Query(ctx, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c WHERE x=1 OR x<0")
	t.Log(err, time.Since(start))
	t.Log(query(t, h, "SELECT 1.5, 0.1+0.2, 3.0, NULL, x'00ff', 1e300*1e300"))
	_ = table.NewPlugin
}
