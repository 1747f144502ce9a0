package sqlhost

import (
	"context"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

func TestQueryContextIsOsquerysJSON(t *testing.T) {
	columns := []column{{"pid", typeBigint, optionIndex}, {"name", typeText, optionIndex}, {"age", typeDouble, 0}}
	b := newContextBuilder(columns)
	got := b.append(nil, []constraint{{1, opEquals, `a "b"`}, {0, 4, "1"}, {1, 65, "x%"}}, plan{used: 0b011})
	require.Equal(t, `{"constraints":[`+
		`{"name":"age","list":[],"affinity":"DOUBLE"},`+
		`{"name":"name","list":[{"op":2,"expr":"a \"b\""},{"op":65,"expr":"x%"}],"affinity":"TEXT"},`+
		`{"name":"pid","list":[{"op":4,"expr":"1"}],"affinity":"BIGINT"}],`+
		`"colsUsed":["name","pid"],"colsUsedBitset":3}`, string(got))
}

func TestQueryContextReusesItsBuffer(t *testing.T) {
	b := newContextBuilder([]column{{"pid", typeBigint, optionIndex}, {"path", typeText, 0}})
	constraints := []constraint{{0, opEquals, "123"}}
	buffer := make([]byte, 0, 512)
	require.Zero(t, testing.AllocsPerRun(100, func() { buffer = b.append(buffer[:0], constraints, plan{used: 1}) }))
}

// FuzzQueryContext checks that what the host writes, osquery-go reads back: the same column, operator and text.
func FuzzQueryContext(f *testing.F) {
	f.Add("pid", 2, "3", uint64(1))
	f.Add("a\"b", 65, "\x00\n\u2028</script>", uint64(1)<<63)
	f.Add("é", 4, "\xff", uint64(0))
	f.Fuzz(func(t *testing.T, name string, op int, expr string, used uint64) {
		if !utf8.ValidString(name) {
			t.Skip("names come from JSON or Thrift text")
		}
		columns := []column{{"other", typeText, 0}, {"x" + name, typeBigint, optionIndex}}
		document := newContextBuilder(columns).append(nil, []constraint{{1, op, expr}}, plan{used: used})
		require.True(t, json.Valid(document), "%s", document)
		var seen table.QueryContext
		reader := table.NewPlugin("t", nil, func(_ context.Context, q table.QueryContext) ([]map[string]string, error) {
			seen = q
			return nil, nil
		})
		response := reader.Call(t.Context(), map[string]string{"action": "generate", "context": string(document)})
		require.Zero(t, response.Status.Code, response.Status.Message)
		list := seen.Constraints["x"+name]
		require.Equal(t, table.ColumnTypeBigInt, list.Affinity)
		require.Len(t, list.Constraints, 1)
		require.Equal(t, string([]rune(expr)), list.Constraints[0].Expression, "bytes that are not UTF-8 become U+FFFD")
		if op > -1<<50 && op < 1<<50 { // osquery-go reads numbers as float64
			require.Equal(t, table.Operator(op), list.Constraints[0].Operator)
		}
		require.Empty(t, seen.Constraints["other"].Constraints)
	})
}
