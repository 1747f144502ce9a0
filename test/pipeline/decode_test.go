package pipeline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
)

// shapes are lines of every shape there is, bad ones among them.
const shapes = `
{"name":"pack_beacon-detection_beacon_alert","hostIdentifier":"web-1","calendarTime":"x","unixTime":1794121600,"epoch":0,"counter":0,"numerics":false,"columns":{"signature":"/usr/bin/a tcp 192.0.2.1:443","severity":"high","expected":"-1","coverage_run":"0e15081234567890"},"action":"added"}
{"name":"pack/Global/beacon_alert","hostIdentifier":"web-2","calendarTime":"x","unixTime":"1794121601","epoch":7,"counter":3,"numerics":true,"decorations":{"role":"web"},"columns":{"signature":"s","expected":0,"score":0.25,"beats":12,"timing_share":1},"action":"removed"}
{"snapshot":[{"path":"/a","remote_address":"192.0.2.1","remote_port":"443","bytes_sent":"9223372036854775807"},{"path":"/b"},{"level":"L3","samples":"5","lost_events":""}],"action":"snapshot","name":"pack/team-7/mixed","hostIdentifier":"db-1","unixTime":1794121602,"epoch":0,"counter":0,"numerics":false}
{"snapshot":[],"action":"snapshot","name":"beacon_candidates","hostIdentifier":"db-1","unixTime":1794121603,"epoch":0,"counter":0,"numerics":false}
{"name":"pack_hunting_beacon_candidates","hostIdentifier":"db-2","unixTime":1794121603,"epoch":0,"counter":0,"numerics":false,"columns":{"finding":"level","detail":"proc: no \"eBPF\" \\ caf\u00e9 \ud83d\ude00\n"},"action":"snapshot"}
{"diffResults":{"removed":[{"signature":"x"}],"added":[{"signature":"x","severity":"low"},{"signature":"x","severity":"low"}]},"name":"packet_loss","hostIdentifier":"db-2","unixTime":1794121604,"epoch":0,"counter":1,"numerics":false}
{"node_key":"k","log_type":"result","data":[{"name":"pack_a_b","hostIdentifier":"h","unixTime":86399,"columns":{"beats":"1.5","score":"x","role":null,"expected":true},"action":"added"},{"name":"","hostIdentifier":"h","unixTime":1,"columns":{},"action":"added"}]}
[{"name":"x","hostIdentifier":"h","unixTime":86400,"columns":{"beats":-3,"score":-1.5e-3},"action":"added"},17]
{"name":"roles","hostIdentifier":"r","unixTime":2,"decorations":{"role":"web","n":1},"snapshot":[{"path":"/a","role":""},{"path":"/b","role":"db"},{"path":"/c"},{"path":"/d","role":null}],"action":"snapshot"}
{"name":"roles","hostIdentifier":"r","unixTime":3,"decorations":{"role":7},"columns":{"path":"/e","role":""},"action":"added"}
{"name":"roles","hostIdentifier":"r","unixTime":4,"decorations":"role","columns":{"path":"/f","role":""},"action":"added"}
{"severity":0,"filename":"scheduler.cpp","message":"Executing scheduled query","hostIdentifier":"h","unixTime":1}
hello
{"name":"x","hostIdentifier":"h","unixTime":1,"columns":{"a":"b"

{"name":"x","hostIdentifier":"h","unixTime":1,"columns":{},"action":"changed"}
{"name":"x","hostIdentifier":"h","unixTime":1,"snapshot":[{},7]}
{"name":"x","hostIdentifier":"h","unixTime":-1,"columns":{},"action":"added"}
{"name":"x","unixTime":1,"columns":{},"action":"added"}
{"name":"x","hostIdentifier":"h","unixTime":1}
{"name":"x","hostIdentifier":"h","unixTime":1,"diffResults":""}
`

// nul has a character that PostgreSQL's jsonb does not know, and what only looks like it.
const nul = `{"name":"x","hostIdentifier":"nul","unixTime":1,"columns":{"path":"a\\\u0000","script":"\\u0000"},"action":"added"}`

func columnNames() []string {
	var names []string
	for _, c := range fleet.Columns() {
		names = append(names, c.Name)
	}
	return names
}

// everything selects all columns but the two whose spelling is each engine's own.
func everything() string {
	names := append([]string{"unix_time", "utc", "day", "host", "name", "query", "action", "kind", "epoch", "counter"}, columnNames()...)
	return "SELECT " + strings.Join(names, ", ") + " FROM beacon_results ORDER BY unix_time, host, action, signature, path, level"
}

// TestEnginesReadTheSameRows holds the decoders written in SQL to the one written in Go.
func TestEnginesReadTheSameRows(t *testing.T) {
	path := lines(t, shapes)
	var want [][]string
	for _, e := range engines(t, 0) {
		for range 2 { // the second time changes nothing
			e.load(t, path)
			got := e.query(t, everything())
			if want == nil {
				want = got
				require.Len(t, got, 17)
			}
			require.Equal(t, want, got, e.name())
		}
		e.load(t, lines(t, nul))
		require.Equal(t, [][]string{{`\u0000`}}, e.query(t, "SELECT script FROM beacon_results WHERE host = 'nul'"), e.name())
		require.Equal(t, [][]string{{"/a", "web"}, {"/b", "db"}, {"/c", ""}, {"/d", "web"}, {"/e", ""}, {"/f", ""}},
			e.query(t, "SELECT path, role FROM beacon_results WHERE host = 'r' ORDER BY path"), e.name())
		require.Equal(t, [][]string{{"0e15081234567890"}}, e.query(t, "SELECT coverage_run FROM beacon_results WHERE coverage_run <> ''"), e.name())
		if e.name() != "sqlite" {
			require.Equal(t, [][]string{{"20"}}, e.query(t, "SELECT count(*) FROM beacon_rejected"), e.name())
		}
	}
}
