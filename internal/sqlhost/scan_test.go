package sqlhost

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatementsAreCounted(t *testing.T) {
	for sql, want := range map[string]int{
		"":                                 0,
		" ;; -- x":                         0,
		"/* a; b */":                       0,
		"SELECT 1":                         1,
		"SELECT 1;":                        1,
		"SELECT ';', \";\", `;`, [;] ; ":   1,
		"SELECT 1; -- SELECT 2":            1,
		"SELECT 1; SELECT 2; SELECT 3":     2,
		"SELECT 'it''s; fine' /* ; */ --;": 1,
		"; SELECT 1;/*":                    1,
	} {
		require.Equal(t, want, statements(sql), sql)
	}
}

func TestConstantListsAreFound(t *testing.T) {
	for sql, want := range map[string][][]string{
		"SELECT 1":                        nil,
		"x IN (1, 2,3)":                   {{"x", "1", "2", "3"}},
		"a.\"x\" in(-1, +2, 'it''s', '')": {{"x", "-1", "2", "it's"}},
		"x IN (1, 1, NULL)":               {{"x", "1"}},
		"x IN (NULL)":                     nil,
		"x IN ()":                         nil,
		"x IN (1 + 1)":                    nil,
		"x IN (1.5)":                      nil,
		"x IN (0x10)":                     nil,
		"x IN (-'a')":                     nil,
		"x IN (SELECT 1)":                 nil,
		"x IN (1, 2":                      nil,
		"x IN tbl":                        nil,
		"x IN (99999999999999999999)":     nil,
		"x IN (1) AND [y] IN /* c */ ('a' -- b\n, 'b;') OR": {{"x", "1"}, {"y", "a", "b;"}},
		"'x' IN (1)": nil,
	} {
		var got [][]string
		for _, l := range findLists(sql) {
			got = append(got, append([]string{l.column}, l.values...))
		}
		require.Equal(t, want, got, sql)
	}
}

func TestLongListsArriveValueByValue(t *testing.T) {
	values := make([]string, maxListValues+1)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	require.Empty(t, findLists("x IN ("+strings.Join(values, ",")+")"))
	require.Len(t, findLists("x IN ("+strings.Join(values[:maxListValues-1], ",")+")"), 1)
	lists := findLists("x IN (3,4)")
	require.Equal(t, []string{"3", "4"}, listFor(lists, "X", "4"))
	require.Nil(t, listFor(lists, "x", "5"))
	require.Nil(t, listFor(lists, "y", "4"))
}

// FuzzScanner checks that every input is read to its end, and that the tokens of a statement without its comments are the
// tokens of the statement.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{"SELECT 'a''b' FROM [x y];", "--", "/*", "'", "\"\"\"", "x in(1,", "1.5e3", "\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		s := scanner{sql: sql}
		for n := 0; s.next().kind != tokenEnd; n++ {
			require.LessOrEqual(t, n, len(sql))
		}
		require.Equal(t, len(sql), s.pos)
		require.LessOrEqual(t, statements(sql), 2)
		require.Equal(t, statements(sql), statements("/* ; */ "+sql))
		for _, l := range findLists(sql) {
			require.NotEmpty(t, l.values)
		}
	})
}
