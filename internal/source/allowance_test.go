package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

func TestAllowance(t *testing.T) {
	a := allowance{budget: 0.1}
	now := boottime.Time(time.Hour)
	a.spend(now, saved)
	require.Zero(t, a.owes(now), "what was saved up may be spent at once")
	a.spend(now, 10*time.Millisecond)
	require.Equal(t, 100*time.Millisecond, a.owes(now), "more must be earned")
	now = now.Add(time.Second)
	require.Zero(t, a.owes(now))
	spent := time.Duration(0)
	for end := now.Add(time.Minute); now < end; now = now.Add(time.Millisecond) {
		if a.owes(now) == 0 {
			a.spend(now, 2*time.Millisecond)
			spent += 2 * time.Millisecond
		}
	}
	require.InDelta(t, 0.1, spent.Seconds()/60, 0.005)
}
