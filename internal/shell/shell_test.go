package shell

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

var (
	_ Querier = (*sqlhost.Host)(nil)
	_ Querier = (*Client)(nil)
)

// numbers is a table of rows 0 to n-1, with a word that tries to clear the screen.
func numbers(n int) *table.Plugin {
	columns := []table.ColumnDefinition{table.BigIntColumn("n", table.IndexColumn()), table.TextColumn("word", table.AdditionalColumn())}
	return table.NewPlugin("numbers", columns, func(context.Context, table.QueryContext) ([]map[string]string, error) {
		rows := make([]map[string]string, n)
		for i := range rows {
			rows[i] = map[string]string{"n": strconv.Itoa(i), "word": "w" + strconv.Itoa(i) + "\x1b[2J"}
		}
		return rows, nil
	})
}

func newHost(t testing.TB, tables ...sqlhost.Table) *sqlhost.Host {
	t.Helper()
	h, err := sqlhost.New(sqlhost.Config{})
	require.NoError(t, err)
	t.Cleanup(h.Close)
	for _, tb := range tables {
		require.NoError(t, h.RegisterTable(tb))
	}
	return h
}

func serve(t testing.TB, h *sqlhost.Host) (socket string, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "shell-")
	require.NoError(t, err)
	socket = filepath.Join(dir, "s")
	listener, err := sqlhost.Listen(socket)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.ServeListener(ctx, listener) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(func() {
		cancel()
		os.RemoveAll(dir)
	})
	return socket, stop
}

// session runs input through a Shell that is not at a terminal.
func session(t *testing.T, q Querier, mode Mode, input string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := New(q, Config{Mode: mode}).Run(t.Context(), strings.NewReader(input), &out)
	return out.String(), err
}

func TestStatementsFromAPipe(t *testing.T) {
	h := newHost(t, numbers(2))
	out, err := session(t, h, CSV, ""+
		"-- what there is\n"+
		"SELECT n,\n"+
		"  ';' AS semicolon FROM numbers;  SELECT 1 AS one; /* none */ ;\n"+
		".mode line\n"+
		"SELECT word FROM numbers WHERE n = 1\n") // no semicolon at the end of the input
	require.NoError(t, err)
	require.Equal(t, "n,semicolon\r\n0,;\r\n1,;\r\none\r\n1\r\nword = w1\\x1b[2J\n", out)
}

func TestAPipeStopsAtTheFirstError(t *testing.T) {
	h := newHost(t, numbers(2))
	for input, want := range map[string]string{
		"SELECT 1 AS x; SELECT nope FROM numbers; SELECT 2;":               "no such column: nope",
		"SELECT 1 AS x;\n.nope\nSELECT 2;":                                 "there is no command .nope; .help lists them",
		"SELECT 1 AS x;\n.mode a b\n":                                      ".mode takes at most one argument",
		"SELECT 1 AS x;\nSELECT " + strings.Repeat("1,\n", maxStatement/3): "the statement is longer than 1048576 bytes",
		"SELECT 1 AS x;\n" + strings.Repeat("x", maxStatement+1):           "read statements: bufio.Scanner: token too long",
	} {
		out, err := session(t, h, CSV, input)
		require.EqualError(t, err, want)
		require.Equal(t, "x\r\n1\r\n", out)
	}
}

func TestQuitEndsAPipe(t *testing.T) {
	for _, quit := range []string{".exit", ".quit", " .quit ;"} {
		out, err := session(t, newHost(t), CSV, "SELECT 1 AS x;\n"+quit+"\nSELECT nope;")
		require.NoError(t, err)
		require.Equal(t, "x\r\n1\r\n", out)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	idle, write := io.Pipe()
	defer write.Close()
	err := New(newHost(t), Config{}).Run(ctx, idle, &bytes.Buffer{})
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		_, _ = write.Write([]byte("SELECT 1;\n"))
		cancel()
	}()
	err = New(newHost(t), Config{}).Run(ctx, idle, &bytes.Buffer{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestCommands(t *testing.T) {
	h := newHost(t, numbers(1))
	for input, want := range map[string]string{
		".tables":              "numbers\nosquery_extensions\nosquery_info\nosquery_registry\ntime\n",
		".tables osquery_*":    "osquery_extensions\nosquery_info\nosquery_registry\n",
		".tables nothing":      "",
		".schema numbers":      "CREATE TABLE numbers(`n` BIGINT, `word` TEXT);\n",
		".mode":                "table\n",
		".mode json\n.mode":    "json\n",
		".help":                help,
		"  .tables numbers ; ": "numbers\n",
	} {
		out, err := session(t, h, Table, input+"\n")
		require.NoError(t, err, input)
		require.Equal(t, want, out, input)
	}
	out, err := session(t, h, Table, ".schema\n")
	require.NoError(t, err)
	require.Equal(t, 5, strings.Count(out, "CREATE TABLE "))
	for input, want := range map[string]string{
		".schema nope":   "no such table: nope",
		".schema x;DROP": `"x;DROP" is not a table name`,
		".tables [":      `pattern "[": syntax error in pattern`,
		".mode xml":      `there is no mode "xml": choose table, line, csv, json`,
		".\x1b[2J":       `there is no command .\x1b[2J; .help lists them`,
	} {
		_, err := session(t, h, Table, input+"\n")
		require.EqualError(t, err, want, input)
	}
}

func TestCompletion(t *testing.T) {
	c := &completer{querier: newHost(t, numbers(1))}
	for name, test := range map[string]struct {
		statement, line, head string
		words                 []string
	}{
		"table":                      {"", "SELECT * FROM num", "SELECT * FROM ", []string{"numbers"}},
		"columns of a named table":   {"", "SELECT * FROM numbers WHERE w", "SELECT * FROM numbers WHERE ", []string{"WHERE", "WITH", "word"}},
		"columns after an alias":     {"SELECT x. FROM numbers x", "WHERE x.wo", "WHERE x.", []string{"word"}},
		"table named on line before": {"SELECT n FROM numbers\n", "ORDER BY wo", "ORDER BY ", []string{"word"}},
		"keyword, any case":          {"", "sel", "", []string{"SELECT"}},
		"several":                    {"", "SELECT * FROM osquery_", "SELECT * FROM ", []string{"osquery_extensions", "osquery_info", "osquery_registry"}},
		"command":                    {"", ".sch", "", []string{".schema"}},
		"command's table":            {"", ".schema nu", ".schema ", []string{"numbers"}},
		"command's mode":             {"", ".mode j", ".mode ", []string{"json"}},
		"nothing":                    {"", "SELECT zzz", "SELECT ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			head, words, tail := c.complete(test.statement, test.line, len(test.line))
			require.Equal(t, test.head, head)
			require.Equal(t, test.words, words)
			require.Empty(t, tail)
		})
	}
	head, words, tail := c.complete("", "SELECT  FROM numbers", 7)
	require.Equal(t, "SELECT ", head)
	require.Contains(t, words, "word")
	require.Equal(t, " FROM numbers", tail)
}

func FuzzComplete(f *testing.F) {
	f.Add("SELECT n FROM", "numbers WHERE é", 3)
	c := &completer{querier: newHost(f, numbers(1))}
	f.Fuzz(func(t *testing.T, statement, line string, pos int) {
		pos = max(0, min(pos, len(line)))
		head, _, tail := c.complete(statement, line, pos)
		require.True(t, strings.HasPrefix(line, head))
		require.Equal(t, line[pos:], tail)
	})
}

func TestJSONKnowsTheTypesOfAnAnswer(t *testing.T) {
	h := newHost(t, numbers(2))
	socket, _ := serve(t, h)
	client, err := Dial(socket, 0)
	require.NoError(t, err)
	defer client.Close()
	for _, q := range []Querier{h, client} {
		out, err := session(t, q, JSON, "SELECT n, CAST(n AS text) || 'x' AS word, count(*) AS total, nullif(n, 0) AS n0 FROM numbers;")
		require.NoError(t, err)
		require.Equal(t, "[\n  {\"n\":0,\"word\":\"0x\",\"total\":2,\"n0\":\"\"}\n]\n", out)
	}
}
