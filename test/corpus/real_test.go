package corpus

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// realFlows reads the development flows beside the project. They are not part of it: without them the test is skipped,
// always.
func realFlows(t *testing.T) []RealFlow {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "data", "dev-flows")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no development flows beside the project: %v", err)
	}
	flows, err := RealFlows(dir)
	require.NoError(t, err)
	return flows
}

// The published figures of the yardsticks validate the reading, the filters and the metrics.
func TestYardsticksOnDevelopmentFlows(t *testing.T) {
	flows := realFlows(t)
	var unicast []RealFlow
	for _, f := range flows {
		if f.Unicast {
			unicast = append(unicast, f)
		}
	}
	require.Equal(t, "82 C2, 604 benign", tally(flows))
	require.Equal(t, "82 C2, 474 benign", tally(unicast))
	for _, s := range Yardsticks() {
		switch s.Name {
		case "RITA v5":
			require.InDelta(t, 0.836, AUC(scored(s, flows)), 0.01)
			require.InDelta(t, 0.825, AUC(scored(s, unicast)), 0.01)
		case "CV of gaps":
			require.InDelta(t, 0.719, AUC(scored(s, flows)), 0.002)
		case "FLARE":
			require.InDelta(t, 0.835, AUC(scored(s, flows)), 0.002)
			require.InDelta(t, 0.846, AUC(scored(s, unicast)), 0.002)
		}
	}
}

func TestBeaconOnDevelopmentFlows(t *testing.T) {
	flows := realFlows(t)
	var plain []simulate.Flow
	for _, f := range flows {
		plain = append(plain, f.Flow)
	}
	verdicts, err := Verdicts(plain)
	require.NoError(t, err)
	found, of, fired, absent := 0, 0, 0, 0
	for i, f := range flows {
		v := verdicts[i]
		fires := v.Score >= beacon.DefaultThreshold
		switch {
		case !f.Unicast:
		case f.Beacon && v.Beats >= 10:
			of++
			if fires {
				found++
			}
		case !f.Beacon && fires:
			fired++
			if RhythmOf(f.Flow, v) == Absent {
				absent++
			}
		}
	}
	require.GreaterOrEqual(t, NewRate(found, of).Share, 0.95, "%d of %d C2 flows found", found, of)
	require.LessOrEqual(t, float64(absent), 0.02*float64(fired), "%d of %d reported benign flows have no rhythm", absent, fired)
	ours, err := Beacon()
	require.NoError(t, err)
	unicast := scored(ours, slices.DeleteFunc(slices.Clone(flows), func(f RealFlow) bool { return !f.Unicast }))
	require.GreaterOrEqual(t, AUC(unicast), 0.93)
	require.GreaterOrEqual(t, AUC(Macro(unicast)), 0.91)
	require.GreaterOrEqual(t, Recall(unicast, ThresholdAt(unicast, 0.1)).Share, 0.75)
	all := scored(ours, flows)
	for _, s := range append(Yardsticks(), Dear()...) {
		require.Greater(t, AUC(all), AUC(scored(s, flows)), s.Name)
	}
	// what is published of the reference design on the same flows
	require.Greater(t, AUC(all), 0.868)
	require.Greater(t, AUC(unicast), 0.874)
	require.Greater(t, Recall(all, ThresholdAt(all, 0.1)).Share, 0.598)
}
