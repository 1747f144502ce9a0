package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost/standin"
	"github.com/beaconwatch/beaconwatch/test/schedule"
)

// TestScheduledPacksSayNothingTwice runs the shipped packs 100 times over a beacon that goes on sending,
// through a real extension, and logs what osqueryd would log: after the first dump no differential query has anything to say.
func TestScheduledPacksSayNothingTwice(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	at := filepath.Join(dir, "em")
	daemon := newOsqueryd(t, at)
	for _, one := range standin.Tables(nil) {
		require.NoError(t, daemon.RegisterTable(one))
	}
	s := startSensor(t, host, dir, asExtension(at)...)
	awaitTables(t, daemon)
	a := newActor(t, host, "beat-packs")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 500 * time.Millisecond, Size: 77, Count: 1000, For: lifetime}})

	const alerts = "SELECT 1 FROM beacon_candidates WHERE reason_codes LIKE '%above_threshold%' AND beats >= 16 AND path = "
	require.Eventually(t, func() bool { return len(ask(t, s, alerts+quoted(a.path))) == 1 }, 2*patience, 100*time.Millisecond)

	var results, snapshots bytes.Buffer
	config := schedule.Config{Host: "host-1", Querier: daemon.Host, Results: &results, Snapshots: &snapshots}
	for _, name := range []string{"beacon-detection", "beacon-hunting", "beacon-health"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "packs", name+".conf"))
		require.NoError(t, err)
		p, err := schedule.ParsePack(name, text)
		require.NoError(t, err)
		config.Packs = append(config.Packs, p)
	}
	scheduler := schedule.New(config)
	now := time.Now()
	require.NoError(t, scheduler.RunAll(t.Context(), now))
	first := results.String()
	require.Contains(t, first, `"name":"pack_beacon-detection_beacon_alert"`)
	require.Contains(t, first, a.path)
	for i := range 99 {
		if i%4 == 0 { // the beacon goes on
			sent := len(a.sent(t))
			require.Eventually(t, func() bool { return len(a.sent(t)) > sent }, patience, 10*time.Millisecond)
		}
		require.NoError(t, scheduler.RunAll(t.Context(), now.Add(time.Duration(i+1)*5*time.Minute)))
		require.Equal(t, first, results.String(), "run %d", i+2)
	}
	require.NotEmpty(t, snapshots.String())
}
