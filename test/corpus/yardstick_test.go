package corpus

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// metronome is a flow of n sends of one size, a period apart.
func metronome(n int, period time.Duration) simulate.Flow {
	f := simulate.Flow{Resolution: time.Millisecond, Window: time.Duration(n) * period}
	for i := range n {
		f.At = append(f.At, time.Duration(i)*period)
		f.Bytes = append(f.Bytes, 100)
	}
	return f
}

func TestYardsticksOnAMetronome(t *testing.T) {
	want := map[string]float64{"RITA v5": 1, "CV of gaps": 0, "CV gaps+sizes": 0, "FLARE": 1, "Elastic": 3}
	for _, s := range Yardsticks() {
		if want, known := want[s.Name]; known {
			require.InDelta(t, want, s.Score(metronome(240, time.Minute)), 0.01, s.Name)
		}
	}
}

func TestYardsticksOnAnything(t *testing.T) {
	scorers := append(Yardsticks(), Dear()...)
	require.Len(t, scorers, 7)
	for f := range simulate.Flows(3, 2) {
		for _, s := range scorers {
			for _, n := range []int{1, 2, 5, len(f.At)} {
				score := s.Score(f.Head(n))
				require.False(t, math.IsNaN(score) || math.IsInf(score, 0), "%s on %s", s.Name, f.ID)
				require.InDelta(t, score, s.Score(f.Head(n)), 0, "%s on %s: scratch memory leaks", s.Name, f.ID)
			}
		}
	}
}

// Half of RITA's score is persistence, so that a steady random sender passes 0.7: the flaw this product must not have.
func TestRITARewardsPersistence(t *testing.T) {
	passed := 0
	for i := range 100 {
		if new(rita).score(simulate.Poisson(1, 1000, i)) > 0.7 {
			passed++
		}
	}
	require.Greater(t, passed, 80)
}

func TestBothRITAsAgree(t *testing.T) {
	lean := new(rita)
	for f := range simulate.Flows(5, 5) {
		require.InDelta(t, lean.score(f), ritaPlain(f).score, 1e-12, f.ID)
	}
	r := ritaPlain(metronome(50, 30*time.Second))
	require.Equal(t, []int64{30}, r.intervals)
	require.Equal(t, []int64{49}, r.intervalCounts)
	require.EqualValues(t, 30, r.commonInterval)
	require.EqualValues(t, 100, r.commonSize)
	require.EqualValues(t, 50, r.commonSizes)
}

func TestFLAREIgnoresShortGapsAndFewOfThem(t *testing.T) {
	f := new(flare)
	require.InDelta(t, 0, f.score(metronome(500, time.Second)), 0, "gaps under two seconds")
	require.InDelta(t, 0, f.score(metronome(11, time.Minute)), 0, "ten gaps are not more than ten")
	require.InDelta(t, 1, f.score(metronome(12, time.Minute)), 0)
}
