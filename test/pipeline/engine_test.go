// Package pipeline proves the way from hosts to one answer: queries scheduled as osqueryd schedules them, the logs it would
// write, rsyslog, and the same rollups on SQLite, PostgreSQL and ClickHouse, row for row.
//
// What is not installed is skipped with the reason, and fails instead where BEACONWATCH_REQUIRE_ALL is 1.
package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	packs "github.com/beaconwatch/beaconwatch/packs/fleet"
)

// engine is a database with the tables of fleet.Schema in it.
type engine interface {
	name() string
	// pid is the process that does the work, or starts those that do.
	pid() int
	// exec runs a script.
	exec(t testing.TB, script string)
	// query runs one statement and returns its rows, NULL as the empty string.
	query(t testing.TB, statement string) [][]string
	// load takes in a file of osqueryd's lines.
	load(t testing.TB, path string)
	// list says which hosts are expected, with their roles.
	list(t testing.TB, assets map[string]string)
}

// silent is after how many seconds without a line a host is silent, in all tests.
const silent = 10_800

// engines starts one of each; the rollups take now for the present.
func engines(t *testing.T, now int64) []engine {
	return []engine{newSQLite(t, now), newPostgreSQL(t, now), newClickHouse(t, now)}
}

func schema(t testing.TB, engine string) string {
	t.Helper()
	text, err := fleet.Schema(engine)
	require.NoError(t, err)
	return text + "\n" + packs.Cases
}

// insert is the statement that lists assets.
func insert(assets map[string]string) string {
	var values []string
	for host, role := range assets {
		values = append(values, fmt.Sprintf("('%s', '%s')", host, role))
	}
	return "INSERT INTO beacon_assets (host, role) VALUES " + strings.Join(values, ", ")
}

// room makes a directory that every user may enter, with a path short enough for a socket.
func room(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bw-pipe-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func lines(t testing.TB, text string) string {
	return write(t, filepath.Join(room(t), "lines.log"), strings.TrimLeft(text, "\n"))
}
