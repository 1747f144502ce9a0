package corpus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

func TestSymbolOf(t *testing.T) {
	const minute = 50 * time.Second // nearly
	require.Equal(t, 1, symbolOf(minute, minute, 100), "strongly periodic, small, up to a minute")
	require.Equal(t, symbolOf(minute, minute, 100), symbolOf(minute, minute*26/25, 250))
	require.Equal(t, slipsSizes*slipsTimes+2, symbolOf(minute, minute*5/4, 100), "weakly periodic, over a minute")
	require.Equal(t, symbolOf(4*minute, minute, 2000), symbolOf(minute/4, minute, 1101), "whichever gap is longer")
	require.Equal(t, slipsSymbols-1, symbolOf(minute, 2*time.Hour, 1<<20))
	require.Equal(t, symbolOf(minute, minute, 1)-1, symbolOf(0, 0, 1), "a ratio with nothing is none")
}

func TestSlipsLearnsWhatImplantsLookLike(t *testing.T) {
	s := newSlips()
	require.Positive(t, s.score(metronome(100, 61*time.Second)))
	require.Negative(t, s.score(simulate.Poisson(1, 200, 1)))
	require.Zero(t, s.score(metronome(3, time.Minute)), "one symbol has none before it")
	require.Equal(t, newSlips(), s, "it learns the same each time")
}
