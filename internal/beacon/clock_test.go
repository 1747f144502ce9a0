package beacon

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// polled is f as a sampler sees it that looks every period: a send is reported at the next look, and all sends between two
// looks as one.
func polled(f Series, period time.Duration) Series {
	var seen Series
	for i, t := range f.At {
		look := (t/period + 1) * period
		if last := len(seen.At) - 1; last >= 0 && seen.At[last] == look {
			seen.Bytes[last] += f.Bytes[i]
			continue
		}
		seen.At, seen.Bytes = append(seen.At, look), append(seen.Bytes, f.Bytes[i])
		seen.Within = append(seen.Within, period)
	}
	return seen
}

func TestPollingSlowerThanTheSenderMakesNoRhythm(t *testing.T) {
	s, r := newScorer(t), source(6)
	for _, mean := range []float64{.05, .2, .5, 1, 2, 4, 8} {
		within, grid := 0, 0
		for range 200 {
			seen := polled(renewal(400, poisson(r, mean), constant(151)), time.Second)
			res := s.Score(seen)
			requireSound(t, res)
			if res.Score >= DefaultThreshold {
				within++
			}
			seen.Within, seen.Resolution = nil, time.Second
			if s.Score(seen).Score >= DefaultThreshold {
				grid++
			}
		}
		require.LessOrEqual(t, within, 4, "a send every %v s, uncertainty known", mean)
		require.LessOrEqual(t, grid, 4, "a send every %v s, resolution known", mean)
	}
}

func TestPollingKeepsASlowerBeacon(t *testing.T) {
	res := newScorer(t).Score(polled(renewal(60, jittered(source(7), 30, .1), constant(151)), time.Second))
	require.GreaterOrEqual(t, res.Score, DefaultThreshold, res.Reason())
	require.InEpsilon(t, 30, res.Interval.Seconds(), .1)
}

func TestWholeSecondClocks(t *testing.T) {
	s, r := newScorer(t), source(8)
	floor := func(f Series) Series {
		for i := range f.At {
			f.At[i] = f.At[i].Truncate(time.Second)
		}
		return f
	}
	t.Run("a rhythm is kept and the clock named", func(t *testing.T) {
		res := s.Score(floor(renewal(40, jittered(r, 5.1, .02), constant(0))))
		require.GreaterOrEqual(t, res.Score, DefaultThreshold, res.Reason())
		require.True(t, res.Codes.Has(CoarseClock))
		require.Contains(t, res.Reason(), "clock")
	})
	t.Run("its grid is no rhythm", func(t *testing.T) {
		fired := 0
		for range 300 {
			if s.Score(floor(renewal(200, poisson(r, .3+2*r.Float64()), constant(151)))).Score >= DefaultThreshold {
				fired++
			}
		}
		require.LessOrEqual(t, fired, 6)
	})
	t.Run("it costs evidence", func(t *testing.T) {
		f := renewal(20, jittered(r, 5, .35), constant(151)) // a narrower band would bring all a beat can on either clock
		exact := s.Score(f)
		f.Resolution = time.Second
		require.Less(t, s.Score(f).TimingEvidence, exact.TimingEvidence)
	})
}

func TestWiden(t *testing.T) {
	_, _, ok := widen(0, .1, 0, .1, 2) // gaps of 1 s known to 2 s
	require.False(t, ok)
	lo, hi, ok := widen(logOf(9.9), logOf(10.1), logOf(9.9), logOf(10.1), 1)
	require.True(t, ok)
	require.InDelta(t, logOf(9.4), lo, 1e-12)
	require.InDelta(t, logOf(10.6), hi, 1e-12)
}
