package shell

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// split returns the statements in lines and what is left.
func split(lines ...string) (statements []string, left splitter) {
	for _, line := range lines {
		left.add(line)
		for {
			statement, ok := left.next()
			if !ok {
				break
			}
			statements = append(statements, statement)
		}
	}
	return statements, left
}

func TestSplit(t *testing.T) {
	for sql, want := range map[string]struct {
		statements []string
		content    bool
		idle       bool
	}{
		"SELECT 1; SELECT 2;":          {[]string{"SELECT 1", " SELECT 2"}, false, true},
		"SELECT 1":                     {nil, true, false},
		"SELECT\n1\n;":                 {[]string{"SELECT\n1\n"}, false, true},
		";;\n ; -- x":                  {nil, false, true},
		"SELECT ';', \";\", `;`, [;];": {[]string{"SELECT ';', \";\", `;`, [;]"}, false, true},
		"SELECT 'it''s;';":             {[]string{"SELECT 'it''s;'"}, false, true},
		"-- no; end\nSELECT 1;":        {[]string{"-- no; end\nSELECT 1"}, false, true},
		"/* ;\n; */ SELECT 1; x":       {[]string{"/* ;\n; */ SELECT 1"}, true, false},
		"SELECT 'open; ":               {nil, true, false},
		"/* open; ":                    {nil, false, false},
		"":                             {nil, false, true},
	} {
		statements, left := split(strings.Split(sql, "\n")...)
		require.Equal(t, want.statements, statements, sql)
		require.Equal(t, want.content, left.content, sql)
		require.Equal(t, want.idle, left.idle(), sql)
	}
}

// TestSplitLooksOnce grows a statement by lines that each look like its end: what was scanned is never scanned again.
func TestSplitLooksOnce(t *testing.T) {
	var s splitter
	s.add("SELECT '")
	for range 10_000 {
		s.add(";")
		_, ok := s.next()
		require.False(t, ok)
		require.Equal(t, len(s.text), s.scanned)
	}
	s.add("';")
	statement, ok := s.next()
	require.True(t, ok)
	require.Len(t, statement, len("SELECT '\n")+2*10_000+len("'"))
}

// FuzzSplit checks that nothing is lost or added, and that lines and the whole text are split alike.
func FuzzSplit(f *testing.F) {
	f.Add("SELECT 'a''b;' FROM [x;] -- ;\n; /* ; */ x")
	f.Fuzz(func(t *testing.T, sql string) {
		statements, left := split(strings.Split(sql, "\n")...)
		whole, leftOfWhole := split(sql)
		require.Equal(t, whole, statements)
		require.Equal(t, leftOfWhole, left)
		rest := sql + "\n"
		for _, statement := range statements {
			i := strings.Index(rest, statement+";")
			require.GreaterOrEqual(t, i, 0)
			rest = rest[i+len(statement)+1:]
		}
		require.True(t, strings.HasSuffix(rest, string(left.text)))
	})
}
