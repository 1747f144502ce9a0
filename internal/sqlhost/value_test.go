package sqlhost

import (
	"context"
	"database/sql/driver"
	"math"
	"strconv"
	"testing"

	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

func TestValuesAreReadAsInOsquery(t *testing.T) {
	for name, test := range map[string]struct {
		kind, in string
		want     driver.Value
	}{
		"text":                        {typeText, "x", "x"},
		"empty text stays":            {typeText, "", ""},
		"blob":                        {typeBlob, "\x00\xff", "\x00\xff"},
		"integer":                     {typeInteger, "-7", int64(-7)},
		"integer keeps 32 bits":       {typeInteger, "4294967297", int64(1)},
		"bigint":                      {typeBigint, "4294967297", int64(4294967297)},
		"empty number is NULL":        {typeBigint, "", nil},
		"word in a number is NULL":    {typeBigint, "7 apples", nil},
		"fraction in integer is NULL": {typeInteger, "1.5", nil},
		"leading zero is octal":       {typeBigint, "010", int64(8)},
		"bad octal is NULL":           {typeBigint, "08", nil},
		"zero":                        {typeBigint, "0", int64(0)},
		"hexadecimal":                 {typeBigint, "0x1F", int64(31)},
		"negative hexadecimal":        {typeBigint, "-0x10", int64(-16)},
		"two signs":                   {typeBigint, "--1", nil},
		"sign inside":                 {typeBigint, "0x-1", nil},
		"plus":                        {typeBigint, "+5", int64(5)},
		"underscore":                  {typeBigint, "1_000", nil},
		"bare 0x":                     {typeBigint, "0x", nil},
		"unsigned":                    {typeUnsigned, "9223372036854775807", int64(math.MaxInt64)},
		"unsigned above the range":    {typeUnsigned, "18446744073709551615", nil},
		"double":                      {typeDouble, "1e-3", 0.001},
		"empty double":                {typeDouble, "", nil},
		"NaN":                         {typeDouble, "NaN", nil},
		"too large a double":          {typeDouble, "1e999", math.Inf(1)},
		"word double":                 {typeDouble, "x", nil},
		"unknown type":                {typeUnknown, "x", nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, sqlValue(test.kind, test.in)) })
	}
}

func TestValuesThroughSQL(t *testing.T) {
	routes := osquery.ExtensionPluginResponse{{"id": "alias", "alias": "skipped"}}
	for i, kind := range []string{typeText, typeInteger, typeBigint, typeUnsigned, typeDouble, "nonsense"} {
		routes = append(routes, map[string]string{"id": "column", "name": "c" + strconv.Itoa(i), "type": kind, "op": "x"})
	}
	row := map[string]string{"c0": "", "c1": "", "c2": "12", "c3": "0x10", "c4": "2", "c5": "?"}
	tb := &rawTable{name: "typed", routes: routes, answer: func(context.Context) osquery.ExtensionResponse {
		return osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{}, Response: []map[string]string{row}}
	}}
	h := newHost(t, Config{}, tb)
	require.Equal(t, [][]string{{"", "", "12", "16", "2.0", ""}}, query(t, h, "SELECT * FROM typed"))
	require.Equal(t, [][]string{{"text", "null", "integer", "integer", "real", "null"}},
		query(t, h, "SELECT typeof(c0), typeof(c1), typeof(c2), typeof(c3), typeof(c4), typeof(c5) FROM typed"))
	require.Len(t, query(t, h, "SELECT 1 FROM typed WHERE c2 > 9 AND c0 = '' AND c1 IS NULL AND c4 = 2"), 1, "12 > 9 as numbers")
}

// FuzzValue checks that a value always has the SQLite type its column promises, or is NULL, and renders.
func FuzzValue(f *testing.F) {
	for _, s := range []string{"", "0", "-0x8000000000000000", "1e400", "0b1", "१", "+-1", "infinity", "0x1p-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []string{typeText, typeInteger, typeBigint, typeUnsigned, typeDouble, typeUnknown} {
			switch v := sqlValue(kind, s).(type) {
			case nil:
				require.NotEqual(t, typeText, kind)
			case string:
				require.Equal(t, typeText, kind)
				require.Equal(t, s, v)
			case int64:
				require.NotEqual(t, typeDouble, kind)
				require.True(t, kind != typeInteger || v == int64(int32(v)))
				require.Equal(t, strconv.FormatInt(v, 10), text(v))
			case float64:
				require.Equal(t, typeDouble, kind)
				require.False(t, math.IsNaN(v))
				require.NotEmpty(t, text(v))
			default:
				t.Fatalf("%T", v)
			}
		}
	})
}
