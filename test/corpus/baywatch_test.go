package corpus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

func TestBaywatchFindsAPeriodAndLosesItToJitter(t *testing.T) {
	b := new(baywatch)
	require.Greater(t, b.score(metronome(100, 60*time.Second)), 0.9, "no lag loses more than its share of the flow")
	require.InDelta(t, -1, b.score(metronome(10, time.Second)), 0, "too short")
	exact, jittered, random := 0, 0, 0
	const of = 40
	for i := range of {
		if b.score(simulate.Exact(1, 100, 0, i)) > 0 {
			exact++
		}
		if b.score(simulate.Exact(1, 100, 0.7, i)) > 0 {
			jittered++
		}
		if b.score(simulate.Poisson(1, 100, i)) > 0 {
			random++
		}
	}
	require.Greater(t, exact, of*3/4)
	require.Less(t, jittered, of/2, "jitter destroys spectral coherence")
	require.Less(t, random, of/4)
}
