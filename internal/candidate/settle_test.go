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
		minute      int
		given, want beacon.Codes
	}{
		{0, above, above},
		{10, 0, above},
		{50, missed, above | missed},
		{65, above, above | missed},
		{119, 0, above | missed},
		{126, 0, above}, // missed was given 76 minutes ago
		{130, beacon.InsufficientBeats, above | beacon.InsufficientBeats},
		{131, 0, above}, // what is missing is not held
		{190, 0, 0},
		{191, above, above},
		{500, 0, 0}, // as long as nobody looked, nothing was given
	} {
		require.Equal(t, step.want, s.codes(begun.Add(time.Duration(step.minute)*time.Minute), step.given, time.Hour), "minute %d", step.minute)
	}
}

func TestClassesOfAnAlertChangeForGoodOnly(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	var c class
	for _, step := range []struct {
		minute int
		given  string
		held   bool
		want   string
	}{
		{0, "", false, ""},
		{1, "10s", false, "10s"},
		{2, "1m", false, "1m"}, // before it is an alert it follows
		{3, "1m", true, "1m"},
		{10, "5m", true, "1m"},
		{69, "5m", true, "1m"},
		{70, "5m", true, "5m"},
		{80, "1m", true, "5m"},
		{90, "5m", true, "5m"},
		{100, "1m", true, "5m"},
		{150, "1m", true, "5m"}, // given for 50 minutes, not for 70
		{155, "", true, "5m"},   // no rhythm for now
		{156, "1m", true, "5m"},
		{157, "", false, ""},
	} {
		require.Equal(t, step.want, c.settle(begun.Add(time.Duration(step.minute)*time.Minute), step.given, step.held, time.Hour), "minute %d", step.minute)
	}
}

func TestWhatIsHeldIsHeldForThreeIntervals(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	c := Candidate{Result: beacon.Result{Codes: beacon.AboveThreshold, Interval: 4 * time.Hour}}
	c.settle(begun, &settled{})
	for _, tt := range []struct {
		after time.Duration
		want  beacon.Codes
	}{{8 * time.Hour, beacon.AboveThreshold}, {24 * time.Hour, 0}} {
		later := Candidate{Result: beacon.Result{Interval: 4 * time.Hour}}
		later.settle(begun.Add(tt.after), &c.settled)
		require.Equal(t, tt.want, later.Result.Codes, tt.after)
	}
}

func TestAlertIDIsThatOfTheSignature(t *testing.T) {
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", alertID(""))
	require.Equal(t, alertID("a"), alertID("a"))
	require.NotEqual(t, alertID("a"), alertID("b"))
}
