package pack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// TestACoverageRunIsToldFromRealCases in the fleet's rows: the senders of a test are in the shipped snapshots under its id, everybody else
// without one, at the same score and severity as ever.
func TestACoverageRunIsToldFromRealCases(t *testing.T) {
	const run = "0e15081234567890" // as coverage draws it, and as a number would not survive
	s := scene.New(t)
	s.Play(scene.Implant(), scene.Exfiltration())
	deps := s.Deps()
	deps.CoverageRun = func(id process.ID) string {
		if id.PID == scene.Exfiltration().PID {
			return run
		}
		return ""
	}
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, deps)
	rows, err := json.Marshal(scene.Ask(t, o, shipped(t)["beacon_candidates"].SQL))
	require.NoError(t, err)

	store, err := fleet.Open(t.Context(), fleet.Config{})
	require.NoError(t, err)
	defer store.Close()
	line := `{"snapshot":` + string(rows) + `,"action":"snapshot","name":"beacon_candidates","hostIdentifier":"web-1","unixTime":1794096000}`
	require.NoError(t, store.Load(t.Context(), "-", strings.NewReader(line)))
	_, found, err := store.Query(t.Context(), "SELECT path, coverage_run, severity <> 'info' FROM beacon_results WHERE scope = 'destination' ORDER BY path")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"/opt/upload", run, "1"}, {"/tmp/.x/implant", "", "1"}}, found)
}
