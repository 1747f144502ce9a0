package export

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func row() Row {
	return Row{"alert_id": "a1b2", "scope": "destination", "severity": "high", "path": "/tmp/implant", "pid": "4711", "cmdline": "implant --fast", "uid": "33",
		"username": "www-data", "parent_path": "/usr/sbin/apache2", "local_address": "10.0.0.5", "remote_address": "198.51.100.7", "remote_port": "443",
		"remote_hostname": "cdn.example", "protocol": "6", "first_seen": "1700000000", "last_seen": "1700003600", "bytes_sent": "15100", "beats": "100",
		"interval_ms": "60000", "jitter": "0.2", "score": "0.998", "evidence": "51.2", "confidence": "0.98", "reason": "94 % of 212 gaps",
		"signature": "/tmp/implant tcp://198.51.100.7:443", "sha256": "e3b0", "expected": "0", "reason_codes": "regular_timing,uniform_sizes"}
}

var context = Context{Host: "web-1", Version: "0.1.0", Observed: time.Unix(1_700_003_700, 0)}

// at follows a path of keys, and of indexes written as keys, through what JSON makes of v.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var now any
	require.NoError(t, json.Unmarshal(text, &now))
	for _, step := range path {
		switch step := step.(type) {
		case string:
			o, ok := now.(map[string]any)
			require.True(t, ok, "%v of %v", step, path)
			now = o[step]
		case int:
			l, ok := now.([]any)
			require.True(t, ok && len(l) > step, "%v of %v", step, path)
			now = l[step]
		}
	}
	return now
}

func TestECS(t *testing.T) {
	e := ECS(row(), context)
	for _, tt := range []struct {
		want any
		path []any
	}{
		{"2023-11-14T23:13:20Z", []any{"@timestamp"}}, {"2023-11-14T23:15:00Z", []any{"event", "created"}}, {"alert", []any{"event", "kind"}}, {"a1b2", []any{"event", "id"}},
		{"2023-11-14T22:13:20Z", []any{"event", "start"}}, {3.0, []any{"event", "severity"}}, {4711.0, []any{"process", "pid"}},
		{"/usr/sbin/apache2", []any{"process", "parent", "executable"}}, {"e3b0", []any{"process", "hash", "sha256"}},
		{"198.51.100.7", []any{"destination", "ip"}}, {443.0, []any{"destination", "port"}}, {"cdn.example", []any{"destination", "domain"}},
		{"tcp", []any{"network", "transport"}}, {15100.0, []any{"source", "bytes"}}, {"T1030", []any{"threat", "technique", "id", 0}},
		{60000.0, []any{"beaconwatch", "interval_ms"}}, {"web-1", []any{"host", "name"}}, {0.998, []any{"beaconwatch", "score"}},
	} {
		require.Equal(t, tt.want, at(t, e, tt.path...), "%v", tt.path)
	}
	require.Nil(t, at(t, e, "container"), "what a row does not say is left out")
}

func TestJSON(t *testing.T) {
	r := row()
	r["size_bytes"] = ""
	c := context
	c.Types = map[string]string{"score": "DOUBLE", "beats": "BIGINT", "size_bytes": "BIGINT", "expected": "INTEGER", "path": "TEXT"}
	text, err := json.Marshal(JSON(r, c))
	require.NoError(t, err)
	for _, want := range []string{`"score":0.998`, `"beats":100`, `"size_bytes":null`, `"expected":0`, `"path":"/tmp/implant"`, `"alert_id":"a1b2"`} {
		require.Contains(t, string(text), want)
	}
}

func TestOCSF(t *testing.T) {
	e := OCSF(row(), context)
	for _, tt := range []struct {
		want any
		path []any
	}{
		{2004.0, []any{"class_uid"}}, {200402.0, []any{"type_uid"}}, {4.0, []any{"severity_id"}}, {"a1b2", []any{"finding_info", "uid"}},
		{"/tmp/implant checks in with 198.51.100.7:443", []any{"finding_info", "title"}}, {98.0, []any{"confidence_score"}},
		{"/tmp/implant", []any{"evidences", 0, "process", "file", "path"}}, {"SHA-256", []any{"evidences", 0, "process", "file", "hashes", 0, "algorithm"}},
		{"Outbound", []any{"evidences", 0, "connection_info", "direction"}}, {"T1030", []any{"finding_info", "attacks", 0, "technique", "uid"}},
		{1_700_003_700_000.0, []any{"time"}}, {"web-1", []any{"device", "hostname"}},
	} {
		require.Equal(t, tt.want, at(t, e, tt.path...), "%v", tt.path)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("443", "NaN", "high", "/x")
	f.Fuzz(func(t *testing.T, number, ratio, severity, path string) {
		r := row()
		r["remote_port"], r["pid"], r["score"], r["evidence"], r["confidence"], r["severity"], r["path"] = number, number, ratio, ratio, ratio, severity, path
		for _, format := range []func(Row, Context) any{ECS, OCSF, JSON} {
			_, err := json.Marshal(format(r, Context{Types: map[string]string{"remote_port": "INTEGER", "score": "DOUBLE"}}))
			require.NoError(t, err)
		}
	})
}
