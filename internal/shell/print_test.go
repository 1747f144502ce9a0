package shell

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
)

func printed(t testing.TB, mode Mode, width int, columns []string, rows ...[]string) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Print(&b, mode, Layout{Width: width}, columns, nil, rows))
	return b.String()
}

func TestTable(t *testing.T) {
	require.Equal(t, ""+
		"+-----+------+-------+\n"+
		"| pid | name | share |\n"+
		"+-----+------+-------+\n"+
		"|   1 | init |   0.5 |\n"+
		"|  20 | cron |       |\n"+
		"+-----+------+-------+\n",
		printed(t, Table, 80, []string{"pid", "name", "share"}, []string{"1", "init", "0.5"}, []string{"20", "cron", ""}))
	require.Equal(t, ""+
		"+---+\n"+
		"| n |\n"+
		"+---+\n"+
		"+---+\n", printed(t, Table, 80, []string{"n"}), "columns are shown without rows")
	require.Empty(t, printed(t, Table, 80, nil))
}

func TestTableWrapsTheWidestColumns(t *testing.T) {
	require.Equal(t, ""+
		"+-----+-----------+\n"+
		"| pid | path      |\n"+
		"+-----+-----------+\n"+
		"|   7 | /usr/lib/ |\n"+
		"|     | systemd/  |\n"+
		"|     | systemd-  |\n"+
		"|     | journald  |\n"+
		"+-----+-----------+\n",
		printed(t, Table, 24, []string{"pid", "path"}, []string{"7", "/usr/lib/systemd/systemd-journald"}))
	cut := printed(t, Table, 24, []string{"pid", "path"}, []string{"7", strings.Repeat("x", 200)})
	require.Equal(t, 8, strings.Count(cut, "\n"), "a value takes at most four lines")
	require.Contains(t, cut, "x… |")
}

func TestRowsTooWideForATableAreLines(t *testing.T) {
	var columns, row []string
	for range 40 {
		columns, row = append(columns, "column"), append(row, "value!")
	}
	require.True(t, strings.HasPrefix(printed(t, Table, 120, columns, row), "column = value!\n"))
}

func TestLines(t *testing.T) {
	require.Equal(t, " pid = 1\nname = a\\nb\n\n pid = 2\nname = \n",
		printed(t, Line, 0, []string{"pid", "name"}, []string{"1", "a\nb"}, []string{"2", ""}))
}

func TestCSV(t *testing.T) {
	require.Equal(t, "pid,name\r\n1,\"a \"\"b\"\", c\"\r\n2,\"x\ny\"\r\n",
		printed(t, CSV, 0, []string{"pid", "name"}, []string{"1", `a "b", c`}, []string{"2", "x\ny"}))
	require.Equal(t, "cmdline\r\nsh\\x1b[2J\\r\r\n", printed(t, CSV, 0, []string{"cmdline"}, []string{"sh\x1b[2J\r"}))
	require.Equal(t, "x\r\n\"\"\r\n", printed(t, CSV, 0, []string{"x"}, []string{""}))
	require.Empty(t, printed(t, CSV, 0, nil))
}

func TestJSON(t *testing.T) {
	require.Equal(t, "[\n  {\"z\":\"1\",\"a\":\"x\\u001b[2J\\u009b\\u202e\\\"\"},\n  {\"z\":\"\",\"a\":\"\"}\n]\n",
		printed(t, JSON, 0, []string{"z", "a"}, []string{"1", "x\x1b[2J\u009b\u202e\""}, []string{"", ""}))
	require.Equal(t, "[]\n", printed(t, JSON, 0, []string{"z"}))
	require.Equal(t, "[\n  {\"b\":\"2\",\"a\":\"3\"}\n]\n", printed(t, JSON, 0, []string{"a", "b", "a"}, []string{"1", "2", "3"}), "a name comes once")
}

func TestJSONOfNumbers(t *testing.T) {
	columns := []string{"path", "score", "beats", "rank", "total", "word"}
	types := []string{"TEXT", "DOUBLE", "BIGINT", "INTEGER", "UNKNOWN", "UNKNOWN"}
	rows := [][]string{{"7", "0.100", "98", "-1", "5", "5"}, {"", "", "1e3", "", "", "five"}, {"x", "Inf", "010", "1", "2.5e-07", ""}}
	var b bytes.Buffer
	require.NoError(t, Print(&b, JSON, Layout{}, columns, types, rows))
	require.Equal(t, "[\n"+
		`  {"path":"7","score":0.100,"beats":98,"rank":-1,"total":5,"word":"5"},`+"\n"+
		`  {"path":"","score":null,"beats":1e3,"rank":null,"total":null,"word":"five"},`+"\n"+
		`  {"path":"x","score":"Inf","beats":"010","rank":1,"total":2.5e-07,"word":""}`+"\n]\n", b.String(),
		"a number that JSON has no form for is a string, NULL of numbers is null, a computed column is what all its values are")
	require.True(t, json.Valid(b.Bytes()))
}

func TestModes(t *testing.T) {
	for _, mode := range []Mode{Table, Line, CSV, JSON} {
		parsed, err := ParseMode(mode.String())
		require.NoError(t, err)
		require.Equal(t, mode, parsed)
	}
	_, err := ParseMode("xml")
	require.EqualError(t, err, `there is no mode "xml": choose table, line, csv, json`)
	require.Equal(t, "Mode(9)", Mode(9).String())
}

// FuzzPrint checks every format on hostile names and values: nothing a terminal acts on comes out, a table keeps its
// width, and CSV and JSON read back.
func FuzzPrint(f *testing.F) {
	f.Add("path", "/usr/bin/x", "name", "12", 40)
	f.Add("\x1b]0;x\a", "\x9b2J\u009b\r\n\t", "b\u202e", "\xff\u2028", 10)
	f.Add("宽", strings.Repeat("宽字", 50), "e\u0301", "👩‍👩‍👧", 30)
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, width int) {
		columns, rows := []string{name1, name2}, [][]string{{value1, value2}, {value2, value1}}
		for mode := Table; mode <= JSON; mode++ {
			out := printed(t, mode, width, columns, rows...)
			for _, r := range out {
				require.False(t, unsafeRune(r) && r != '\n' && !(mode == CSV && (r == '\r' || r == '\t')), "%v: %q in %q", mode, r, out)
			}
			switch mode {
			case Table:
				if strings.HasPrefix(out, "+-") && width > 0 {
					for line := range strings.Lines(out) {
						require.LessOrEqual(t, text.StringWidth(strings.TrimSuffix(line, "\n")), max(width, 1), out)
					}
				}
			case CSV:
				records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
				require.NoError(t, err)
				require.Len(t, records, 3)
			case JSON:
				var objects []map[string]string
				require.NoError(t, json.Unmarshal([]byte(out), &objects))
				require.Len(t, objects, 2)
				require.Equal(t, string([]rune(value2)), objects[0][string([]rune(name2))])
				for _, types := range [][]string{{"DOUBLE", "BIGINT"}, {"UNKNOWN", "UNKNOWN"}} {
					var b bytes.Buffer
					require.NoError(t, Print(&b, JSON, Layout{}, columns, types, rows))
					require.True(t, json.Valid(b.Bytes()), b.String())
				}
			}
		}
	})
}
