package candidate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
)

func TestCodesStayForAWhile(t *testing.T) {
	const above, missed = beacon.AboveThreshold, beacon.MissedBeats
	begun := time.Unix(1_700_000_000, 0)
	var s settled
	for _, step := range []struct {
		after       time.Duration
		given, want beacon.Codes
	}{
		{0, above, above},
		{time.Minute, 0, above},
		{9 * time.Minute, missed, above | missed},
		{11 * time.Minute, above, above | missed},
		{19 * time.Minute, 0, above | missed},
		{21*time.Minute + time.Second, 0, above}, // missed was given twelve minutes ago
		{30 * time.Minute, beacon.InsufficientBeats, above | beacon.InsufficientBeats},
		{30*time.Minute + time.Second, 0, above}, // what is missing is not held
		{32 * time.Minute, 0, 0},
		{33 * time.Minute, above, above},
		{2 * time.Hour, 0, 0}, // as long as nobody looked, nothing was given
	} {
		require.Equal(t, step.want, s.codes(begun.Add(step.after), step.given, time.Minute), "after %v", step.after)
	}
}

func TestCodesOfSlowBeaconsStayForThreeIntervals(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	var s settled
	s.codes(begun, beacon.AboveThreshold, 4*time.Hour)
	require.Equal(t, beacon.AboveThreshold, s.codes(begun.Add(8*time.Hour), 0, 4*time.Hour))
	require.Zero(t, s.codes(begun.Add(24*time.Hour), 0, 4*time.Hour))
}

func TestAlertIDIsThatOfTheSignature(t *testing.T) {
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", alertID(""))
	require.Equal(t, alertID("a"), alertID("a"))
	require.NotEqual(t, alertID("a"), alertID("b"))
}
