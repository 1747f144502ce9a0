package sqlhost

import (
	"context"
	"strconv"
	"testing"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

func pushdownColumns() []table.ColumnDefinition {
	return []table.ColumnDefinition{
		table.BigIntColumn("pid", table.IndexColumn()),
		table.BigIntColumn("listed", table.IndexColumn(), table.OptimizedColumn()),
		table.TextColumn("path", table.IndexColumn(), table.OptimizedColumn()),
		table.BigIntColumn("time", table.AdditionalColumn()),
		table.TextColumn("plain"),
		table.TextColumn("only_optimized", table.OptimizedColumn()),
		table.TextColumn("hidden", table.HiddenColumn()),
	}
}

func TestConstraintsArriveAsInOsquery(t *testing.T) {
	row := map[string]string{"pid": "3", "listed": "3", "path": "/a", "time": "5", "plain": "p", "hidden": "h"}
	none := []map[string][]string{{}}
	one := func(column string, terms ...string) []map[string][]string {
		return []map[string][]string{{column: terms}}
	}
	for name, test := range map[string]struct {
		where          string
		noDefaultIndex bool
		calls          []map[string][]string
		rows           int
	}{
		"nothing":                    {where: "1", calls: none, rows: 1},
		"equality on an index":       {where: "pid = 3", calls: one("pid", "= 3"), rows: 1},
		"equality that no row meets": {where: "pid = 4", calls: one("pid", "= 4")},
		"range on a number":          {where: "pid >= 2 AND pid < 9", calls: one("pid", ">= 2", "< 9"), rows: 1},
		"between":                    {where: "time BETWEEN 1 AND 7", calls: one("time", ">= 1", "<= 7"), rows: 1},
		"inequality, which tables must not match": {where: "pid <> 4", calls: one("pid", "<> 4"), rows: 1},
		"text equality":                      {where: "path = '/a'", calls: one("path", "= /a"), rows: 1},
		"text order is never pushed":         {where: "path > '/' AND path <= '/b'", calls: none, rows: 1},
		"like":                               {where: "path LIKE '/%'", calls: one("path", "LIKE /%"), rows: 1},
		"glob":                               {where: "path GLOB '/*'", calls: one("path", "GLOB /*"), rows: 1},
		"empty string is dropped":            {where: "path = ''", calls: none},
		"null is dropped":                    {where: "path IS NULL", calls: none},
		"IN without OPTIMIZED, call by call": {where: "pid IN (3, 4)", calls: []map[string][]string{{"pid": {"= 3"}}, {"pid": {"= 4"}}}, rows: 1},
		"IN on INDEX|OPTIMIZED, one list":    {where: "listed IN (3, 4)", calls: one("listed", "= 3", "= 4"), rows: 1},
		"IN list of text":                    {where: "path IN ('/a', '', NULL, '/b''c')", calls: one("path", "= /a", "= /b'c"), rows: 1},
		"IN list that is not constant": {where: "listed IN (SELECT 3 UNION SELECT 4)",
			calls: []map[string][]string{{"listed": {"= 3"}}, {"listed": {"= 4"}}}, rows: 1},
		"IN list beside another constraint": {where: "listed IN (4, 3) AND pid = 3",
			calls: []map[string][]string{{"listed": {"= 4", "= 3"}, "pid": {"= 3"}}}, rows: 1},
		"NOT IN is not pushed":          {where: "listed NOT IN (4, 5)", calls: none, rows: 1},
		"OPTIMIZED alone is no index":   {where: "only_optimized = 'x'", calls: none},
		"HIDDEN alone is no index":      {where: "hidden = 'h'", calls: none, rows: 1},
		"default index":                 {where: "plain = 'p'", calls: one("plain", "= p"), rows: 1},
		"no default index":              {where: "plain = 'p'", noDefaultIndex: true, calls: none, rows: 1},
		"a quoted number is a number":   {where: "pid = '3'", calls: one("pid", "= 3"), rows: 1},
		"a limit is not a constraint":   {where: "pid = 3 LIMIT 1 OFFSET 0", calls: one("pid", "= 3"), rows: 1},
		"unary plus hides a constraint": {where: "+pid = 3", calls: none, rows: 1},
		"or of one column is a list":    {where: "listed = 3 OR listed = 4", calls: []map[string][]string{{"listed": {"= 3"}}, {"listed": {"= 4"}}}, rows: 1},
	} {
		t.Run(name, func(t *testing.T) {
			tb := newRecorder("watched", pushdownColumns(), row)
			h := newHost(t, Config{NoDefaultIndex: test.noDefaultIndex}, tb)
			rows := query(t, h, "SELECT * FROM watched WHERE "+test.where)
			require.Len(t, rows, test.rows)
			require.Equal(t, test.calls, tb.calls())
		})
	}
}

// pidTable answers pid = N by a look-up, as the indexed tables of the extension do.
func pidTable(name string, rows int, calls *[]string) *table.Plugin {
	columns := []table.ColumnDefinition{table.BigIntColumn("pid", table.IndexColumn()), table.TextColumn(name+"_value", table.AdditionalColumn())}
	return table.NewPlugin(name, columns, func(_ context.Context, q table.QueryContext) ([]map[string]string, error) {
		asked := "*"
		var wanted []int
		for _, c := range q.Constraints["pid"].Constraints {
			if c.Operator == table.OperatorEquals {
				n, err := strconv.Atoi(c.Expression)
				if err != nil {
					return nil, err
				}
				asked, wanted = c.Expression, append(wanted, n)
			}
		}
		*calls = append(*calls, asked)
		if wanted == nil {
			for i := range rows {
				wanted = append(wanted, i)
			}
		}
		var answer []map[string]string
		for _, n := range wanted {
			answer = append(answer, map[string]string{"pid": strconv.Itoa(n), name + "_value": name + strconv.Itoa(n)})
		}
		return answer, nil
	})
}

func TestJoinCallsOncePerOuterRow(t *testing.T) {
	var outer, inner []string
	h := newHost(t, Config{}, pidTable("a", 5, &outer), pidTable("b", 1000, &inner))
	rows := query(t, h, "SELECT a.pid, b_value FROM a LEFT JOIN b USING (pid)")
	require.Equal(t, [][]string{{"0", "b0"}, {"1", "b1"}, {"2", "b2"}, {"3", "b3"}, {"4", "b4"}}, rows)
	require.Equal(t, []string{"*"}, outer)
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, inner, "each call with its own equality")
}

func TestRequiredColumn(t *testing.T) {
	tb := newRecorder("hashes", []table.ColumnDefinition{
		table.TextColumn("path", table.RequiredColumn()), table.TextColumn("md5", table.AdditionalColumn()),
	}, map[string]string{"path": "/a", "md5": "0"})
	h := newHost(t, Config{}, tb)
	_, _, err := h.Query(t.Context(), "SELECT * FROM hashes")
	require.EqualError(t, err, "table hashes was queried without a required column in the WHERE clause")
	require.Empty(t, tb.calls())
	require.Len(t, query(t, h, "SELECT * FROM hashes WHERE path = '/a'"), 1)
	require.Len(t, query(t, h, "SELECT md5 FROM (SELECT '/a' AS path) JOIN hashes USING (path)"), 1, "the constraint comes from a join")
}

func TestColumnsUsed(t *testing.T) {
	var columns []table.ColumnDefinition
	for i := range 70 {
		columns = append(columns, table.TextColumn("c"+strconv.Itoa(100+i), table.AdditionalColumn()))
	}
	wide := &rawTable{name: "wide", routes: table.NewPlugin("wide", columns, nil).Routes()}
	h := newHost(t, Config{}, wide)
	query(t, h, "SELECT c102, c100 FROM wide")
	require.Contains(t, wide.context, `"colsUsed":["c100","c102"],"colsUsedBitset":5}`)
	query(t, h, "SELECT c169 FROM wide")
	require.Contains(t, wide.context, `"colsUsed":["c163","c164","c165","c166","c167","c168","c169"],"colsUsedBitset":9223372036854775808}`,
		"SQLite has one bit for all columns from 63 on")
}
