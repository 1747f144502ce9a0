package fleet

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// decoded renders the rows of a line, and its error.
func decoded(line string) (rows []string, err error) {
	err = newDecoder().decode([]byte(line), func(r row) error {
		rows = append(rows, fmt.Sprintf("%s %s %d/%d/%d %s %s %s", r.Host, r.Query, r.Time, r.Epoch, r.Counter, r.Action, r.cells.kind(), r.cells.json))
		return nil
	})
	return rows, err
}

const lineHead = `"name":"pack_net_alert","hostIdentifier":"web-1","calendarTime":"Sun Nov  8 07:06:40 2026 UTC","unixTime":1794121600,"epoch":3,"counter":2,"numerics":false`

func TestShapesOfLines(t *testing.T) {
	const at = "web-1 alert 1794121600/3/2 "
	tests := []struct {
		name, line string
		want       []string
	}{
		{"event", `{` + lineHead + `,"decorations":{"x":"y"},"columns":{"signature":"a"},"action":"added"}`,
			[]string{at + `added candidate {"signature":"a"}`}},
		{"snapshot event", `{` + lineHead + `,"columns":{"level":"L3"},"action":"snapshot"}`, []string{at + `snapshot status {"level":"L3"}`}},
		{"snapshot", `{"snapshot":[{"path":"/a"},{"path":"/b","remote_address":"::1"}],"action":"snapshot",` + lineHead + `}`,
			[]string{at + `snapshot program {"path":"/a"}`, at + `snapshot traffic {"path":"/b","remote_address":"::1"}`}},
		{"empty snapshot", `{"snapshot":[],"action":"snapshot",` + lineHead + `}`, []string{at + `empty other {}`}},
		{"batch", `{"diffResults":{"removed":[{"a":"1"}],"added":[{"a":"2"},{"finding":"x"}]},` + lineHead + `}`,
			[]string{at + `removed other {"a":"1"}`, at + `added other {"a":"2"}`, at + `added finding {"finding":"x"}`}},
		{"array of results", `[{` + lineHead + `,"columns":{},"action":"added"}, {` + lineHead + `,"columns":{},"action":"removed"}]`,
			[]string{at + `added other {}`, at + `removed other {}`}},
		{"what the TLS logger sends", `{"node_key":"k","log_type":"result","data":[{` + lineHead + `,"columns":{},"action":"added"}]}`,
			[]string{at + `added other {}`}},
		{"numbers", `{` + lineHead + `,"columns":{"b":1.50,"a":-7,"c":null,"d":true},"action":"added"}`,
			[]string{at + `added other {"a":-7,"b":1.50,"c":null,"d":true}`}},
		{"white space, order and a name twice", `{ "columns" : { "b" : "2" , "a" : "1", "b":"3" } , "action":"added", ` + lineHead + ` }`,
			[]string{at + `added other {"a":"1","b":"3"}`}},
		{"time as a string, no epoch", `{"name":"x","hostIdentifier":"h","unixTime":"12","columns":{},"action":"added"}`,
			[]string{`h x 12/0/0 added other {}`}},
		{"time with an exponent", `{"name":"x","hostIdentifier":"h","unixTime":1.7e9,"columns":{},"action":"added"}`,
			[]string{`h x 1700000000/0/0 added other {}`}},
		{"host as a number", `{"name":"x","hostIdentifier":17,"unixTime":1,"columns":{},"action":"added"}`, []string{`17 x 1/0/0 added other {}`}},
		{"status log", `{"severity":1,"message":"Executing scheduled query","hostIdentifier":"web-1","unixTime":1}`, nil},
		{"unchanged batch", `{"diffResults":{},` + lineHead + `}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decoded(tt.line)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestBrokenLines(t *testing.T) {
	for line, want := range map[string]string{
		`hello`: "broken JSON at byte 1: 'h' where a value is due",
		`7`:     "not a JSON object",
		`[1]`:   "not a JSON object",
		`{"name":"x","hostIdentifier":"h","unixTime":1,"columns":{"a":"b"`: "broken JSON: ends where ',' or '}' is due",
		`{` + lineHead + `}`: "not a result of a scheduled query: no columns, snapshot or diffResults",
		`{` + lineHead + `,"diffResults":"","columns":""}`:                            "not a result of a scheduled query: no columns, snapshot or diffResults",
		`{` + lineHead + `,"columns":{},"action":"changed"}`:                          `action is "changed", not added, removed or snapshot`,
		`{` + lineHead + `,"snapshot":[{"a":"1"},7]}`:                                 `a row is "7", not an object`,
		`{` + lineHead + `,"columns":{},"action":"added"} x`:                          "broken JSON at byte 189: 'x' where the end of the line is due",
		`{"name":"x","unixTime":1,"columns":{},"action":"added"}`:                     "no hostIdentifier",
		`{"hostIdentifier":"x","unixTime":1,"columns":{},"action":"added"}`:           "no name",
		`{"name":"x","hostIdentifier":"h","columns":{},"action":"added"}`:             "no unixTime, or not a time in seconds",
		`{"name":"x","hostIdentifier":"h","unixTime":"0x10","columns":{}}`:            "no unixTime, or not a time in seconds",
		`{"name":"x","hostIdentifier":"h","unixTime":1e18,"columns":{}}`:              "no unixTime, or not a time in seconds",
		`{"name":"\ud800x","hostIdentifier":"h","unixTime":1,"columns":{"a":"\x41"}}`: "broken JSON at byte 70: 'x' where an escape is due",
		`{` + lineHead + `,"columns":{"a":[NaN]},"action":"added"}`:                   "broken JSON at byte 174: 'N' where a digit is due",
	} {
		rows, err := decoded(line)
		require.EqualError(t, err, want, line)
		require.Empty(t, rows, "nothing of a bad line is kept: %s", line)
	}
}

func TestAnArrayKeepsItsGoodResults(t *testing.T) {
	rows, err := decoded(`[{"name":""}, {` + lineHead + `,"columns":{},"action":"added"}, 7, {` + lineHead + `,"columns":{},"action":"removed"}]`)
	require.EqualError(t, err, "no name")
	require.Len(t, rows, 2)
}

func TestQueryNames(t *testing.T) {
	for name, want := range map[string]string{
		"pack_beacon-detection_beacon_alert": "beacon_alert",
		"pack/Global/beacon_alert":           "beacon_alert",
		"pack/team-12/beacon_alert":          "beacon_alert",
		"pack/beacon-detection/beacon_alert": "beacon_alert",
		"beacon_alert":                       "beacon_alert",
		"pack_":                              "pack_",
		"pack_x":                             "pack_x",
		"pack_x_":                            "pack_x_",
		"packet_loss":                        "packet_loss",
	} {
		require.Equal(t, want, queryOf(name), name)
	}
}

func TestCellsHaveTheirTypes(t *testing.T) {
	tests := map[string]struct{ text, number, real any }{
		`"12"`:                  {"12", int64(12), 12.0},
		`12`:                    {"12", int64(12), 12.0},
		`"-1"`:                  {"-1", int64(-1), -1.0},
		`1.5`:                   {"1.5", nil, 1.5},
		`"1e3"`:                 {"1e3", nil, 1000.0},
		`""`:                    {"", nil, nil},
		`null`:                  {"", nil, nil},
		`true`:                  {"true", nil, nil},
		`"x"`:                   {"x", nil, nil},
		`"+5"`:                  {"+5", nil, nil},
		`"0x10"`:                {"0x10", nil, nil},
		`" 7"`:                  {" 7", nil, nil},
		`"07"`:                  {"07", nil, nil},
		`"1_0"`:                 {"1_0", nil, nil},
		`"inf"`:                 {"inf", nil, nil},
		`"1e999"`:               {"1e999", nil, nil},
		`"9223372036854775808"`: {"9223372036854775808", nil, 9223372036854775808.0},
		`"\u0041\/"`:            {"A/", nil, nil},
		`[1]`:                   {"[1]", nil, nil},
	}
	c := newCells()
	for value, want := range tests {
		require.NoError(t, c.read([]byte(`{"path":`+value+`,"beats":`+value+`,"score":`+value+`}`)))
		got := func(name string) any { return c.values[c.index[name]] }
		require.Equal(t, want.text, got("path"), value)
		require.Equal(t, want.number, got("beats"), value)
		require.Equal(t, want.real, got("score"), value)
		require.Equal(t, "", got("role"), "what a row lacks")
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{` + lineHead + `,"columns":{"signature":"a","beats":7,"score":"0.5"},"action":"added"}`,
		`{"snapshot":[{"path":"/a"},{}],"action":"snapshot",` + lineHead + `}`, `[{` + lineHead + `,"columns":{},"action":"removed"}]`,
		`{"diffResults":{"removed":[],"added":[{"a":[1,{}]}]},` + lineHead + `}`, `{"data":[{}]}`, `{"severity":0,"message":""}`,
	} {
		f.Add([]byte(seed))
	}
	d := newDecoder()
	again := newCells()
	f.Fuzz(func(t *testing.T, line []byte) {
		err := d.decode(line, func(r row) error {
			require.NotEmpty(t, r.Host)
			require.NotEmpty(t, r.Name)
			require.NotEmpty(t, r.Query)
			require.Len(t, utcOf(r.Time), len("2026-11-28 04:55:01"))
			require.True(t, json.Valid(r.cells.json), "%q", r.cells.json)
			require.Len(t, r.cells.values, len(Columns()))
			require.NoError(t, again.read(r.cells.json))
			require.Equal(t, r.cells.json, again.json, "one spelling")
			require.Equal(t, r.cells.values, again.values)
			return nil
		})
		if err == nil {
			require.True(t, json.Valid(line))
		}
	})
}
