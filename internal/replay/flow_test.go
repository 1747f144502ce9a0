package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestFlowDecode(t *testing.T) {
	second := time.Second
	tests := []struct {
		name, line string
		want       Flow
	}{
		{"everything", `{"id":"a","sends":[[0.5,100],[60.25,101]],"window_s":3600.5,"resolution_ms":250,` +
			`"process":"/usr/bin/x","destination":"192.0.2.1:443","host":"web1","label":"beacon","note":{"a":[1]}}`,
			Flow{ID: []byte(`"a"`), Sends: []FlowSend{{second / 2, 100}, {60*second + second/4, 101}},
				Window: 3600*second + second/2, Resolution: second / 4, Process: "/usr/bin/x",
				Destination: "192.0.2.1:443", Host: "web1"}},
		{"unsorted and repeated", `{"sends":[[3.001,1],[1,2],[3.001,3],[1,4]]}`,
			Flow{Sends: []FlowSend{{second, 2}, {second, 4}, {3001 * time.Millisecond, 1}, {3001 * time.Millisecond, 3}}}},
		{"a number for an id", `{"id":7,"sends":[[0,0]]}`, Flow{ID: []byte(`7`), Sends: []FlowSend{{0, 0}}}},
		{"an exact clock", `{"id":"","resolution_ms":0,"sends":[]}`, Flow{ID: []byte(`""`), Sends: []FlowSend{}}},
		{"one send", `{"sends":[[0.00001,5]]}`, Flow{Sends: []FlowSend{{10 * time.Microsecond, 5}}}},
		{"no send", `{"id":"a","sends":[]}`, Flow{ID: []byte(`"a"`), Sends: []FlowSend{}}},
		{"bytes nobody counted", `{"sends":[[1,null]]}`, Flow{Sends: []FlowSend{{At: time.Second}}}},
		{"nulls", `{"id":null,"sends":[],"window_s":null,"process":null}`, Flow{Sends: []FlowSend{}}},
		{"endpoints of a capture", `{"sends":[],"dst":"2001:db8::1","dport":53,"proto":"udp"}`,
			Flow{Sends: []FlowSend{}, Destination: "udp://[2001:db8::1]:53"}},
		{"the last counts", `{"id":"a","sends":[[1,1]],"id":"b","sends":[]}`, Flow{ID: []byte(`"b"`), Sends: []FlowSend{}}},
		{"escapes", `{"id":"a\u0022b","sends":[]}`, Flow{ID: []byte(`"a\"b"`), Sends: []FlowSend{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Flow{ID: []byte("old"), Sends: make([]FlowSend, 3)}
			require.NoError(t, got.Decode([]byte(tt.line)))
			require.Empty(t, cmp.Diff(tt.want, got))
		})
	}
}

func TestFlowDecodeRefuses(t *testing.T) {
	tests := []struct{ name, line, want, id string }{
		{"not JSON", `#fields`, "broken JSON at byte 1: '#' where '{' is due", ""},
		{"cut short", `{"id":"a","sends":[[1,2],[3`, "broken JSON: ends where ',' or ']' is due", `"a"`},
		{"no sends", `{"id":"a"}`, "no sends", `"a"`},
		{"null sends", `{"id":"a","sends":null}`, "no sends", `"a"`},
		{"sends of another kind", `{"id":"a","sends":5}`, "sends is not an array", `"a"`},
		{"a negative time, before the id", `{"sends":[[1,2],[-3,2]],"id":"a"}`, `send 2: seconds "-3" is negative`, `"a"`},
		{"NaN", `{"sends":[[NaN,2]],"id":"a"}`, `send 1: seconds "NaN" is not a finite number`, `"a"`},
		{"infinity", `{"sends":[[1,-Infinity]],"id":"a"}`, `send 1: bytes "-Infinity" is not a finite number`, `"a"`},
		{"a string for a time", `{"sends":[["1",2]],"id":"a"}`, `send 1: seconds "1" is not a number`, `"a"`},
		{"null for seconds", `{"sends":[[null,1]],"id":"a"}`, `send 1: seconds "null" is not a number`, `"a"`},
		{"negative bytes", `{"sends":[[1,-2]],"id":"a"}`, `send 1: bytes "-2" is negative`, `"a"`},
		{"time overflow", `{"sends":[[1e300,2]],"id":"a"}`, `send 1: seconds "1e300" is out of range`, `"a"`},
		{"bytes overflow", `{"sends":[[1,1e18]],"id":"a"}`, `send 1: bytes "1e18" is out of range`, `"a"`},
		{"three values", `{"sends":[[1,2,3]],"id":"a"}`, "send 1: 3 values: is not [seconds, bytes]", `"a"`},
		{"one value", `{"sends":[[1]],"id":"a"}`, "send 1: 1 values: is not [seconds, bytes]", `"a"`},
		{"numbers in a row", `{"sends":[1,2],"id":"a"}`, `send 1: "1" is not [seconds, bytes]`, `"a"`},
		{"the first fault is named", `{"sends":[[1,2],[-1,2],[1,"x"]],"id":"a"}`, `send 2: seconds "-1" is negative`, `"a"`},
		{"an id of another kind", `{"id":{},"sends":[]}`, "id is neither a string nor a number", ""},
		{"an endless id", `{"id":"` + strings.Repeat("x", 5000) + `","sends":[]}`, "id is longer than 4096 bytes", ""},
		{"a negative window", `{"id":"a","sends":[],"window_s":-1}`, "window_s is negative", `"a"`},
		{"a word for a resolution", `{"id":"a","sends":[],"resolution_ms":"1"}`, "resolution_ms is not a number", `"a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f Flow
			require.EqualError(t, f.Decode([]byte(tt.line)), tt.want)
			require.Equal(t, tt.id, string(f.ID))
		})
	}
}

func TestFlowName(t *testing.T) {
	for id, want := range map[string]string{``: "", `7`: "7", `"a\"b"`: `a"b`, `""`: ""} {
		require.Equal(t, want, (&Flow{ID: []byte(id)}).Name())
	}
}

func TestSendsOfAFlowAreBounded(t *testing.T) {
	var f Flow
	line := []byte(`{"sends":[` + strings.Repeat("[0,0],", maxSends) + `[0,0]]}`)
	require.Less(t, len(line), MaxFlowLine)
	require.EqualError(t, f.Decode(line), "more than 4194304 sends")
	require.LessOrEqual(t, len(f.Sends), maxSends)
}

func TestFlowDecodeReusesItsMemory(t *testing.T) {
	var line bytes.Buffer
	line.WriteString(`{"sends":[`)
	for i := range 200 {
		fmt.Fprintf(&line, "[%d.%06d,%d],", i*60, rand.IntN(1e6), 100+i)
	}
	line.WriteString(`[99999,1]],"window_s":100000}`)
	var f Flow
	require.NoError(t, f.Decode(line.Bytes()))
	require.Zero(t, testing.AllocsPerRun(50, func() {
		if f.Decode(line.Bytes()) != nil {
			t.Fail()
		}
	}))
}

// FuzzFlow: nothing panics; what decodes is JSON, sorted, bounded and survives being written and read again.
func FuzzFlow(f *testing.F) {
	for _, seed := range []string{`{"id":"a","sends":[[0,1],[1.5,2]],"window_s":10}`, `{"sends":[[3,1],[1,1],[1,1]]}`,
		`{"id":7,"sends":[[1e2,0]],"resolution_ms":1000}`, `{"id":"\ud800","sends":[]}`, `{"sends":[[NaN,1]]}`,
		`{"id":"x","sends":[[-1,1]]}`, `{"sends":[[1,2],[3`, `{"dst":"::1","dport":"9","sends":[]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var flow, again Flow
		err := flow.Decode(line)
		if flow.ID != nil {
			require.True(t, json.Valid(flow.ID), "%q", flow.ID)
			require.True(t, utf8.Valid(flow.ID) || flow.ID[0] != '"')
		}
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		pairs := make([][2]json.Number, len(flow.Sends))
		for i, s := range flow.Sends {
			require.True(t, s.At >= 0 && s.At <= maxSeconds*time.Second && s.Bytes <= maxBytes)
			require.True(t, i == 0 || flow.Sends[i-1].At <= s.At)
			pairs[i] = [2]json.Number{json.Number(fmt.Sprintf("%d.%09d", s.At/time.Second, s.At%time.Second)),
				json.Number(fmt.Sprint(s.Bytes))}
		}
		text, err := json.Marshal(map[string]any{"sends": pairs})
		require.NoError(t, err)
		require.NoError(t, again.Decode(text))
		require.Equal(t, flow.Sends, again.Sends)
	})
}
