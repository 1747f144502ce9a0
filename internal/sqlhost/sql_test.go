package sqlhost

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestStatementsThatReadAreAnswered(t *testing.T) {
	h := newHost(t, Config{}, numbersTable("numbers", 5))
	for sql, want := range map[string][][]string{
		"SELECT n, word FROM numbers WHERE n > 2 ORDER BY n DESC;":                              {{"4", "w4"}, {"3", "w3"}},
		"WITH big AS (SELECT n FROM numbers WHERE n >= 3) SELECT sum(n) FROM big -- why":        {{"7"}},
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 3) SELECT x FROM c": {{"1"}, {"2"}, {"3"}},
		"SELECT n, lag(n) OVER (ORDER BY n) FROM numbers LIMIT 2":                               {{"0", ""}, {"1", "0"}},
		"SELECT a.n FROM numbers a JOIN numbers b ON a.n = b.n + 3":                             {{"3"}, {"4"}},
		"SELECT 1.5, 3.0, 0.1 + 0.2, NULL, 'a;b', x'41', 1e300 * 1e300, 7 /* one */":            {{"1.5", "3.0", "0.3", "", "a;b", "A", "Inf", "7"}},
		"SELECT name, type FROM pragma_table_info('numbers')":                                   {{"n", "BIGINT"}, {"word", "TEXT"}},
		"SELECT name FROM sqlite_temp_master WHERE name = 'numbers'":                            {{"numbers"}},
		"SELECT n FROM temp.numbers WHERE word = \"w4\"":                                        {{"4"}},
		"VALUES (1), (2)":   {{"1"}, {"2"}},
		" ; ":               nil,
		"-- only a comment": nil,
	} {
		require.Equal(t, want, query(t, h, sql), sql)
	}
}

func TestStatementsThatAreRefused(t *testing.T) {
	h := newHost(t, Config{}, numbersTable("numbers", 5))
	const readOnly = " is refused: only statements that read are allowed"
	for sql, want := range map[string]string{
		"INSERT INTO numbers VALUES (1, 'x')":       "INSERT" + readOnly,
		"UPDATE numbers SET n = 1":                  "UPDATE" + readOnly,
		"DELETE FROM numbers":                       "DELETE" + readOnly,
		"CREATE TEMP TABLE x(y)":                    "a change of the schema" + readOnly,
		"CREATE VIEW x AS SELECT 1":                 "a change of the schema" + readOnly,
		"DROP TABLE numbers":                        "a change of the schema" + readOnly,
		"ATTACH '/tmp/x' AS x":                      "ATTACH" + readOnly,
		"PRAGMA temp_store = 1":                     "PRAGMA temp_store" + readOnly,
		"PRAGMA writable_schema = ON":               "PRAGMA writable_schema" + readOnly,
		"SELECT load_extension('/tmp/x.so')":        "function load_extension" + readOnly,
		"SELECT run_nested(1)":                      "function run_nested" + readOnly,
		"BEGIN":                                     "a transaction" + readOnly,
		"SELECT 1; DELETE FROM numbers":             "one statement at a time, please: there is text after the first ;",
		"SELECT nope FROM numbers":                  "no such column: nope",
		"SELECT * FROM nope":                        "no such table: nope",
		"SELEC 1":                                   `near "SELEC": syntax error`,
		"SELECT (":                                  "incomplete input",
		"SELECT nope(1)":                            "no such function: nope",
		"SELECT zeroblob(100000000)":                "string or blob too big",
		"SELECT 1\x00":                              "the statement contains a zero byte",
		"SELECT '" + strings.Repeat("x", 1<<20):     "the statement is longer than 1048576 bytes",
		"SELECT json_extract('{', '$')":             "malformed JSON",
		"VACUUM INTO '/tmp/sqlhost-must-not-exist'": "cannot VACUUM - SQL statements in progress",
	} {
		_, _, err := h.Query(t.Context(), sql)
		require.EqualError(t, err, want, sql)
		_, _, err = h.Columns(t.Context(), sql)
		if !strings.Contains(sql, "zeroblob") && !strings.Contains(sql, "json") && !strings.Contains(sql, "VACUUM") {
			require.EqualError(t, err, want, "columns of "+sql)
		}
	}
	require.Equal(t, [][]string{{"5"}}, query(t, h, "SELECT count(*) FROM numbers"), "the host is unharmed")
	require.NoFileExists(t, "/tmp/sqlhost-must-not-exist")
}

func TestColumns(t *testing.T) {
	h := newHost(t, Config{}, numbersTable("numbers", 1))
	names, types, err := h.Columns(t.Context(), "SELECT word, n AS m, n * 2, word FROM numbers")
	require.NoError(t, err)
	require.Equal(t, []string{"word", "m", "n * 2", "word"}, names)
	require.Equal(t, []string{"TEXT", "BIGINT", "UNKNOWN", "TEXT"}, types)
	columns, rows, err := h.Query(t.Context(), "SELECT word, n, word FROM numbers WHERE 0")
	require.NoError(t, err)
	require.Equal(t, []string{"word", "n", "word"}, columns, "columns are known without rows")
	require.Empty(t, rows)
}

// TestContextEndsAStatementAnywhere covers the first row, a row after the first, a table call and the wait for a slot.
func TestContextEndsAStatementAnywhere(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	defer close(release)
	slow := table.NewPlugin("slow", []table.ColumnDefinition{table.TextColumn("x")}, func(context.Context, table.QueryContext) ([]map[string]string, error) {
		entered <- struct{}{}
		<-release
		return nil, nil
	})
	h := newHost(t, Config{MaxConcurrent: 1}, slow, numbersTable("numbers", 10))
	const forever = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) "
	for _, sql := range []string{forever + "SELECT count(*) FROM c", forever + "SELECT x FROM c WHERE x = 1 OR x < 0", "SELECT * FROM slow"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err := h.Query(ctx, sql)
		require.ErrorIs(t, err, context.DeadlineExceeded, sql)
		cancel()
		require.Len(t, query(t, h, "SELECT * FROM numbers"), 10, "the connection is usable again")
	}
	<-entered
	h.slots <- struct{}{}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, _, err := h.Query(ctx, "SELECT 1")
	require.EqualError(t, err, "1 statements are running: enough")
	<-h.slots
}

func TestQueryTimeout(t *testing.T) {
	h := newHost(t, Config{QueryTimeout: 50 * time.Millisecond})
	_, _, err := h.Query(t.Context(), "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c")
	require.EqualError(t, err, "the statement ran longer than 50ms")
}

func TestResultsAreBounded(t *testing.T) {
	h := newHost(t, Config{MaxRows: 100}, numbersTable("numbers", 101))
	_, _, err := h.Query(t.Context(), "SELECT * FROM numbers")
	require.ErrorIs(t, err, ErrTooLarge)
	require.EqualError(t, err, "result is too large: more than 100 rows; add a LIMIT")
	require.Len(t, query(t, h, "SELECT * FROM numbers LIMIT 100"), 100)
	const large = "SELECT hex(zeroblob(4000000)) FROM numbers"
	_, _, err = h.Query(t.Context(), large)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "more than 256 MiB")
	answer := (&manager{host: h}).query(t.Context(), large)
	require.Contains(t, answer.Status.Message, "result is too large: more than 256 MiB")
	require.Nil(t, answer.Rows)
}

func TestHostsDoNotShareTables(t *testing.T) {
	a := newHost(t, Config{}, numbersTable("numbers", 1))
	b := newHost(t, Config{}, numbersTable("numbers", 2))
	c := newHost(t, Config{})
	require.Len(t, query(t, a, "SELECT * FROM numbers"), 1)
	require.Len(t, query(t, b, "SELECT * FROM numbers"), 2)
	_, _, err := c.Query(t.Context(), "SELECT * FROM numbers")
	require.EqualError(t, err, "no such table: numbers")
}

func TestConcurrentStatements(t *testing.T) {
	h := newHost(t, Config{MaxConcurrent: 3}, numbersTable("numbers", 50))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, rows, err := h.Query(t.Context(), fmt.Sprintf("SELECT word FROM numbers WHERE n = %d", i))
			if err != nil || len(rows) != 1 || rows[0][0] != fmt.Sprintf("w%d", i) {
				t.Errorf("statement %d: %v %v", i, rows, err)
			}
			if err := h.RegisterTable(numbersTable(fmt.Sprintf("extra%d", i), 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, len(h.sessions), 3, "connections are bounded by the statements that run")
	require.Len(t, query(t, h, "SELECT name FROM osquery_registry WHERE name LIKE 'extra%'"), 20)
}

func TestClose(t *testing.T) {
	entered := make(chan struct{})
	waits := table.NewPlugin("waits", []table.ColumnDefinition{table.TextColumn("x")}, func(ctx context.Context, _ table.QueryContext) ([]map[string]string, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	h := newHost(t, Config{}, waits)
	query(t, h, "SELECT 1")
	failed := make(chan error, 1)
	go func() {
		_, _, err := h.Query(context.Background(), "SELECT * FROM waits")
		failed <- err
	}()
	<-entered
	h.Close()
	require.ErrorIs(t, <-failed, ErrClosed)
	_, _, err := h.Query(t.Context(), "SELECT 1")
	require.ErrorIs(t, err, ErrClosed)
	require.Empty(t, h.sessions)
	h.Close()
}

func TestNewRefusesNegativeBounds(t *testing.T) {
	_, err := New(Config{Timeout: -1})
	require.ErrorContains(t, err, "negative")
}

// TestAround: what is around an exchange sees what SQLite does for it and what it takes to send the rows, for both are done on the
// same thread.
func TestAround(t *testing.T) {
	spent := make(chan time.Duration, 8)
	now := func() time.Duration {
		var ts unix.Timespec
		require.NoError(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts))
		return time.Duration(ts.Nano())
	}
	h := newHost(t, Config{Around: func(run func()) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began := now()
		run()
		spent <- now() - began
	}})
	socket, _ := serve(t, h)
	client, err := osquerygo.NewClient(socket, time.Minute)
	require.NoError(t, err)
	defer client.Close()
	const numbers = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < %d) SELECT %s FROM c"
	for _, c := range []struct {
		sql   string
		rows  int
		least time.Duration // a row takes more than a few nanoseconds, and to send it takes as long
	}{{"SELECT 1", 1, 0}, {fmt.Sprintf(numbers, 60_000, "count(*)"), 1, 1 * time.Millisecond}, {fmt.Sprintf(numbers, 10_000, "x"), 10_000, time.Millisecond}} {
		rows, err := client.QueryRows(c.sql)
		require.NoError(t, err)
		require.Len(t, rows, c.rows)
		require.GreaterOrEqual(t, <-spent, c.least, c.sql)
	}
	_, err = client.QueryRows("SELECT nothing")
	require.Error(t, err)
	<-spent
	require.Empty(t, spent, "one each")
}
