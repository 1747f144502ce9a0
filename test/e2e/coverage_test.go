package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/coverage"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestCoverageOfARunningSensor runs the coverage test against a sensor that every kernel here grants all to: it finds each shape
// and marks its rows, and nobody else's, in what the osquery answers that has the sensor's tables. Its traffic stays in a network
// namespace of its own.
func TestCoverageOfARunningSensor(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	// the kernel tells of processes in the first network namespace only, where sensors live
	at := filepath.Join(room(t), "em")
	newOsqueryd(t, at)
	s := sensorAt(t, nil, "L3", asExtension(at)...)
	require.Eventually(t, func() bool {
		return one(t, s, "SELECT osquery_socket FROM beacon_sensor_status")["osquery_socket"] == at
	}, patience, 20*time.Millisecond)
	// an implant that borrows the name and the arguments of one of the test's senders
	implant := newActor(t, host, "jittered-implant")
	implant.arguments = []string{"coverage-sender"}
	implant.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 700 * time.Millisecond, Size: 151, Count: 1000, For: lifetime}})

	dir := filepath.Join(room(t), "evidence")
	cmd := exec.Command(beaconwatch(), append([]string{"coverage", "--for", "40s", "--json", "--evidence", dir}, placeIn(s.dir)...)...)
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var e coverage.Evidence
	require.NoError(t, json.Unmarshal(out, &e))
	require.Equal(t, "L3", e.Status["level"])
	require.Equal(t, "osquery at "+at, e.Asked)
	for _, v := range e.Verdicts {
		if v.Skipped != "" {
			t.Log(v.Shape, v.Skipped)
			continue
		}
		require.True(t, v.Found && v.Attributed && v.Marked, "%+v", v)
		require.Contains(t, []string{"medium", "high"}, v.Severity, v.Shape)
	}
	for _, file := range []string{"evidence.json", "junit.xml", "SHA256SUMS"} {
		_, err := os.Stat(filepath.Join(dir, file))
		require.NoError(t, err)
	}
	row := one(t, s, "SELECT coverage_run, severity FROM beacon_candidates WHERE scope = 'destination' AND path = "+quoted(implant.path))
	require.Empty(t, row["coverage_run"], "a borrowed name marks nothing")
	require.Contains(t, []string{"medium", "high"}, row["severity"])
	require.Equal(t, e.Run, one(t, s, "SELECT coverage_run FROM beacon_sensor_status")["coverage_run"])
}
