package main

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/export"
)

// TestEveryExportNamesTheHost: the events of a fleet lie in one place.
func TestEveryExportNamesTheHost(t *testing.T) {
	context := export.Context{Host: "web-1", Version: "0.1.0", Observed: time.Unix(1_700_003_700, 0), Types: map[string]string{"score": "DOUBLE"}}
	for format, where := range map[string][]string{"json": {"host"}, "ecs": {"host", "name"}, "ocsf": {"device", "hostname"}, "csv": nil} {
		columns, values := []string{"path", "host", "score"}, [][]string{{"/opt/agent", "", "0.990"}}
		var out strings.Builder
		require.NoError(t, writeEvents(&out, format, columns, values, context))
		if format == "csv" {
			records, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
			require.NoError(t, err)
			require.Equal(t, [][]string{{"path", "host", "score"}, {"/opt/agent", "web-1", "0.990"}}, records)
			continue
		}
		var event any
		require.NoError(t, json.Unmarshal([]byte(out.String()), &event))
		if format == "json" {
			require.Equal(t, 0.99, event.(map[string]any)["score"], "numbers are numbers")
		}
		for _, key := range where {
			event = event.(map[string]any)[key]
		}
		require.Equal(t, "web-1", event, format)
	}
}
