package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/logfile/logfiletest"
)

func newStore(t testing.TB, config Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// event is a line of a differential result.
func event(host, query string, at, counter int, action, columns string) string {
	return fmt.Sprintf(`{"name":"pack_net_%s","hostIdentifier":"%s","unixTime":%d,"epoch":0,"counter":%d,"columns":{%s},"action":"%s"}`,
		query, host, at, counter, columns, action) + "\n"
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func load(t testing.TB, s *Store, path string) { require.NoError(t, s.Load(t.Context(), path, nil)) }

func ask(t testing.TB, s *Store, sql string) []string {
	t.Helper()
	_, rows, err := s.Query(t.Context(), sql)
	require.NoError(t, err)
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, "|"))
	}
	return lines
}

func TestLoadKeepsEachRowOnce(t *testing.T) {
	text := event("a", "alert", 100, 0, "added", `"signature":"s","beats":"7"`) + event("a", "alert", 160, 1, "removed", `"signature":"s","beats":"7"`) +
		event("b", "alert", 160, 1, "added", `"signature":"s","score":0.5`)
	s := newStore(t, Config{})
	load(t, s, write(t, "results.log", text))
	require.Equal(t, Stats{Lines: 3, Rows: 3}, s.Stats())
	load(t, s, write(t, "again.log.gz", string(logfiletest.Gzip(t, []byte(text)))))
	load(t, s, write(t, "shipped twice.zst", string(logfiletest.Zstd(t, []byte(text+text)))))
	require.NoError(t, s.Load(t.Context(), "-", strings.NewReader("\n\n"+text)))
	require.Equal(t, Stats{Lines: 15, Rows: 3, Duplicates: 12}, s.Stats())
	require.Equal(t, []string{"100|1970-01-01 00:01:40|1970-01-01|a|alert|added|candidate|s|7||0", "160|1970-01-01 00:02:40|1970-01-01|a|alert|removed|candidate|s|7||1", "160|1970-01-01 00:02:40|1970-01-01|b|alert|added|candidate|s||0.5|1"},
		ask(t, s, "SELECT unix_time, utc, day, host, query, action, kind, signature, beats, score, counter FROM beacon_results ORDER BY 1, 3"))
	require.Equal(t, []string{"7"}, ask(t, s, "SELECT columns ->> 'beats' FROM beacon_results WHERE counter = 0"), "every column is there")
}

func TestLoadGoesOnAfterBadLines(t *testing.T) {
	path := write(t, "results.log", "half a line\n"+event("a", "x", 1, 0, "added", "")+strings.Repeat("x", MaxLine+1)+"\n"+
		`{"severity":0,"message":"hello"}`+"\n"+event("b", "x", 1, 0, "added", ""))
	s := newStore(t, Config{})
	load(t, s, path)
	stats := s.Stats()
	require.Equal(t, []uint64{3, 2, 2, 1}, []uint64{stats.Lines, stats.Rows, stats.Bad, stats.Skipped})
	require.EqualError(t, stats.BadLines[0], path+":1: broken JSON at byte 1: 'h' where a value is due")
	require.EqualError(t, stats.BadLines[1], path+":3: line too long: over 33554432 bytes")
}

func TestAFileThatBreaksOffIsABadLine(t *testing.T) {
	whole := logfiletest.Gzip(t, []byte(strings.Repeat(event("a", "x", 1, 0, "added", ""), 1000)))
	path := write(t, "x.gz", string(whole[:len(whole)-9]))
	s := newStore(t, Config{})
	load(t, s, path)
	stats := s.Stats()
	require.EqualValues(t, 1, stats.Bad)
	require.ErrorIs(t, stats.BadLines[0], io.ErrUnexpectedEOF)
	require.EqualValues(t, 1, stats.Rows, "what came before it is there")
}

func TestAnInterruptedLoadLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet?#%.db")
	s := newStore(t, Config{Path: path})
	load(t, s, write(t, "x", event("a", "x", 1, 0, "added", "")))
	ctx, cancel := context.WithCancel(t.Context())
	text := event("b", "x", 1, 0, "added", "") + event("c", "x", 1, 0, "added", "")
	in := io.MultiReader(strings.NewReader(text), readerFunc(func([]byte) (int, error) { cancel(); return 0, ctx.Err() }))
	require.ErrorIs(t, s.Load(ctx, "-", in), context.Canceled)
	require.Equal(t, Stats{Lines: 1, Rows: 1}, s.Stats())
	require.NoError(t, s.Close())

	again := newStore(t, Config{Path: path})
	require.Equal(t, []string{"a"}, ask(t, again, "SELECT host FROM beacon_results"), "a database is kept, under the name it was given")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestErrorsOfTheDatabaseAreNoBadLines(t *testing.T) {
	s := newStore(t, Config{})
	_, err := s.db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON beacon_results BEGIN SELECT raise(ABORT, 'disk full'); END")
	require.NoError(t, err)
	err = s.Load(t.Context(), write(t, "x", event("a", "x", 1, 0, "added", "")), nil)
	require.ErrorContains(t, err, "disk full")
	require.Zero(t, s.Stats())
	require.Error(t, s.Load(t.Context(), "-", iotest.ErrReader(errors.New("gone"))))
	require.ErrorContains(t, s.Load(t.Context(), t.TempDir(), nil), "is a directory")
}

func TestQueriesOnlyRead(t *testing.T) {
	s := newStore(t, Config{MaxRows: 2, Now: 77})
	load(t, s, write(t, "x", event("a", "x", 1, 0, "added", "")))
	for _, sql := range []string{"DELETE FROM beacon_results", "DROP TABLE beacon_results", "CREATE TABLE x(y)", "UPDATE beacon_settings SET now = 1"} {
		_, _, err := s.Query(t.Context(), sql)
		require.ErrorContains(t, err, "readonly", sql)
	}
	require.Equal(t, []string{"1|77|10800"}, ask(t, s, "SELECT count(*), now, silent_s FROM beacon_results, beacon_settings"))
	_, _, err := s.Query(t.Context(), "VALUES (1), (2), (3)")
	require.ErrorIs(t, err, ErrTooLarge)
	names, types, err := s.Columns(t.Context(), "SELECT host, beats FROM beacon_results")
	require.NoError(t, err)
	require.Equal(t, []string{"host", "beats"}, names)
	require.Equal(t, []string{"TEXT", "BIGINT"}, types)
	load(t, s, write(t, "x", event("b", "x", 1, 0, "added", "")))
	require.Equal(t, []string{"2"}, ask(t, s, "SELECT count(*) FROM beacon_results"), "loading goes on after a question")
}

func TestOnlyDatabasesOfThisVersionAreOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	foreign, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = foreign.Exec("CREATE TABLE t(x)")
	require.NoError(t, err)
	require.NoError(t, foreign.Close())
	_, err = Open(t.Context(), Config{Path: path})
	require.EqualError(t, err, "database "+path+": is a database of something else")

	path = filepath.Join(t.TempDir(), "y.db")
	s := newStore(t, Config{Path: path})
	_, err = s.db.Exec("PRAGMA user_version = 7")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = Open(t.Context(), Config{Path: path})
	require.EqualError(t, err, "database "+path+": was made by another version: load the logs into a new one")

	_, err = Open(t.Context(), Config{Path: write(t, "z.log", "no database at all, but a text that is long enough to be read as one's header ...........................")})
	require.ErrorContains(t, err, "file is not a database")
}
