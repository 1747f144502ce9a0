package corpus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

func TestRhythmOf(t *testing.T) {
	minute := beacon.Result{Interval: time.Minute, Jitter: 0.05, TimingShare: 0.95}
	wide := beacon.Result{Interval: 50 * time.Second, Jitter: 0.6, TimingShare: 0.95}
	beat := metronome(60, time.Minute)
	require.Equal(t, Tight, RhythmOf(beat, minute))

	double := beat // every beat is two sends, two seconds apart
	double.At = nil
	for _, at := range beat.At {
		double.At = append(double.At, at, at+2*time.Second)
	}
	require.Equal(t, Tight, RhythmOf(double, minute))

	missed := beat // every third beat is missing
	missed.At = nil
	for i, at := range beat.At {
		if i%3 != 2 {
			missed.At = append(missed.At, at)
		}
	}
	require.Equal(t, Tight, RhythmOf(missed, minute))

	jittered := beat // gaps of 30 s and 70 s
	jittered.At = nil
	for i := range 60 {
		jittered.At = append(jittered.At, time.Duration(i/2)*100*time.Second+time.Duration(i%2)*30*time.Second)
	}
	require.Equal(t, Stated, RhythmOf(jittered, wide))
	require.Equal(t, Absent, RhythmOf(jittered, minute))
	require.Equal(t, Absent, RhythmOf(simulate.Poisson(1, 200, 0), beacon.Result{Interval: 10 * time.Second, Jitter: 0.1, TimingShare: 0.9}))
}

func TestPeriodic(t *testing.T) {
	beat := metronome(60, time.Minute)
	require.True(t, Periodic(beat))
	require.False(t, Periodic(metronome(5, time.Minute)), "four gaps are too few to say")
	pairs := metronome(0, 0)
	for _, at := range beat.At {
		pairs.At = append(pairs.At, at, at+2*time.Second)
	}
	require.True(t, Periodic(pairs))
	found := 0
	for i := range 100 {
		require.True(t, Periodic(simulate.Exact(1, 30, 0.05, i)))
		if Periodic(simulate.Poisson(1, 30, i)) {
			found++
		}
	}
	require.LessOrEqual(t, found, 1)
}
