package boottime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSystemClockAgreesWithWallClock(t *testing.T) {
	got := System().Wall(Now())
	require.WithinDuration(t, time.Now(), got, 50*time.Millisecond)
	require.Equal(t, time.UTC, got.Location())
}

func TestRecordedClockIsTheIdentity(t *testing.T) {
	want := time.Unix(1700000000, 123456789).UTC()
	require.Equal(t, want, Recorded().Wall(Time(want.UnixNano())))
	require.Zero(t, Recorded().Offset())
}

func TestZeroIsUnknown(t *testing.T) {
	require.True(t, System().Wall(0).IsZero())
	require.True(t, Recorded().Wall(0).IsZero())
}

func TestOffsetConvertsLikeWall(t *testing.T) {
	now := Now()
	got := time.Unix(0, int64(now.Add(System().Offset())))
	require.WithinDuration(t, System().Wall(now), got, 50*time.Millisecond)
}

func TestArithmetic(t *testing.T) {
	a := Time(5 * time.Second)
	require.Equal(t, 3*time.Second, a.Sub(Time(2*time.Second)))
	require.Equal(t, Time(6*time.Second), a.Add(time.Second))
}

func TestAClockThatIsSetMovesRowsAndNotTheirDistances(t *testing.T) {
	step := time.Duration(0)
	c := By(func() time.Duration { return 1_700_000_000*time.Second + step })
	first, second := Time(time.Hour), Time(time.Hour+90*time.Second)
	before, stopped := c.Wall(first), c.Stopped()
	for _, step = range []time.Duration{24 * time.Hour, -24 * time.Hour, 0} {
		require.Equal(t, step, c.Wall(first).Sub(before))
		require.Equal(t, 90*time.Second, c.Wall(second).Sub(c.Wall(first)))
		require.Equal(t, before, stopped.Wall(first), "the rows of one answer do not move")
	}
	require.True(t, c.Wall(0).IsZero())
}
