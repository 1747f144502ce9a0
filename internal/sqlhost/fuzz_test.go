package sqlhost

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzQuery runs any SQL: it must end with rows or an error, never with a broken connection or a change.
func FuzzQuery(f *testing.F) {
	for _, sql := range []string{
		"SELECT * FROM numbers WHERE n IN (1, 2)", "SELECT * FROM numbers a, numbers b WHERE a.n = b.n", "PRAGMA table_info(numbers)",
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c", "SELECT printf('%.*c', 99999999, 'x')",
		"INSERT INTO numbers SELECT * FROM numbers", "EXPLAIN SELECT n FROM numbers", "SELECT \x00", "ATTACH ':memory:' AS x", "SELECT * FROM numbers(1)",
		"CREATE VIRTUAL TABLE x USING osquery_table(1)", "SELECT n FROM numbers MATCH 'x'", "SELECT numbers FROM numbers", "VALUES(1),(2)", "SELECT ?1",
	} {
		f.Add(sql)
	}
	h := newHost(f, Config{QueryTimeout: 200 * time.Millisecond, MaxRows: 1000}, numbersTable("numbers", 5))
	f.Fuzz(func(t *testing.T, sql string) {
		columns, rows, err := h.Query(context.Background(), sql)
		require.False(t, errors.Is(err, errBroken), "%v", err)
		for _, row := range rows {
			require.Len(t, row, len(columns))
		}
		_, _, _ = h.Columns(context.Background(), sql)
		require.Len(t, query(t, h, "SELECT * FROM numbers"), 5)
	})
}

// FuzzRows gives SQL any row a table may send for columns of every type.
func FuzzRows(f *testing.F) {
	f.Add("a", "1", "\xff")
	f.Add("n", "", "\x00")
	tb := &rawTable{name: "fuzzed", routes: numbersTable("x", 0).Routes()}
	h := newHost(f, Config{}, tb)
	f.Fuzz(func(t *testing.T, name, number, word string) {
		tb.answer = answerRows(map[string]string{"n": number, "word": word, name: word})
		rows := query(t, h, "SELECT n, word FROM fuzzed")
		require.Len(t, rows, 1)
		if name != "n" {
			require.Equal(t, word, rows[0][1])
		}
	})
}
