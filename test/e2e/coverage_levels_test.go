package e2e

import (
	"encoding/json"
	"flag"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/coverage"
	"github.com/beaconwatch/beaconwatch/test/need"
)

var coverageLevels = flag.Bool("coverage_levels", false, "run the coverage test at every level, one after the other; takes four minutes")

// TestCoverageAtEveryLevel: what is missed at a level is what the guide to blind spots says, and nothing else. Rotating destinations are
// found at L0 on a host so quiet that every owner is.
func TestCoverageAtEveryLevel(t *testing.T) {
	if !*coverageLevels {
		t.Skip("runs only with -coverage_levels, as make coverage-levels does: beside other tests the sensor's budget is not its own")
	}
	for _, level := range []string{"L3", "L2", "L1", "L0"} {
		t.Run(level, func(t *testing.T) {
			out, err := exec.Command(beaconwatch(), append(append([]string{"coverage", "--own_sensor", "--json"}, placeIn(room(t))...),
				"--level", level, "--max_net_namespaces", "128")...).Output()
			var e coverage.Evidence
			require.NoError(t, json.Unmarshal(out, &e), "%v", err)
			if e.Status["level"] != level {
				need.Skip(t, "this kernel grants level %s only: %s", e.Status["level"], e.Status["level_reason"])
			}
			for _, v := range e.Verdicts {
				if v.Skipped != "" {
					t.Log(v.Shape, v.Skipped)
					continue
				}
				t.Logf("%-22s found %-5v after %2d beats, %s", v.Shape, v.Found, v.AfterBeats, v.Severity)
				assert.True(t, v.Found || !coverage.Promised(level, v.Shape), "%s: %s", v.Shape, v.Reason)
			}
		})
	}
}
