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

// TestCoverageAtEveryLevel: what is missed at a level is exactly what the guide to blind spots says.
func TestCoverageAtEveryLevel(t *testing.T) {
	if !*coverageLevels {
		t.Skip("runs only with -coverage_levels, as make coverage-levels does: beside other tests the sensor's budget is not its own")
	}
	for _, level := range []string{"L3", "L2", "L1", "L0"} {
		t.Run(level, func(t *testing.T) {
			out, err := exec.Command(beaconwatch(), append([]string{"coverage", "--own_sensor", "--level", level, "--json"}, placeIn(room(t))...)...).Output()
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
				assert.Equal(t, coverage.Promised(level, v.Shape), v.Found, "%s: %s", v.Shape, v.Reason)
			}
		})
	}
}
