package netns

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGate(t *testing.T) {
	g := &Gate{}
	woken := map[string]int{}
	stop := g.OnChange(func() { woken["first"]++ })
	stopSecond := g.OnChange(func() { woken["second"]++ })
	before := g.Turn()
	require.True(t, g.Rests(before))
	require.Zero(t, g.Checked())

	g.Same(time.Minute)
	require.Equal(t, time.Minute, g.Checked())
	require.True(t, g.Rests(before))
	require.Empty(t, woken)

	g.Changed()
	require.False(t, g.Rests(before))
	require.True(t, g.Rests(g.Turn()))
	require.Equal(t, map[string]int{"first": 1, "second": 1}, woken)
	require.Equal(t, time.Minute, g.Checked(), "when nothing had changed")

	stop()
	g.Changed()
	stopSecond()
	g.Changed()
	require.Equal(t, map[string]int{"first": 1, "second": 2}, woken)
}

func TestWithoutAGateNobodyRests(t *testing.T) {
	var g *Gate
	require.False(t, g.Rests(0))
	g.OnChange(func() { t.Fatal("nothing changes") })()
}
