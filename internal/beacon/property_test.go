package beacon

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shapes are flows of every kind for the properties that hold for all.
func shapes() []Series {
	r := source(11)
	var flows []Series
	for i := range 12 {
		n := 5 << (i % 7)
		flows = append(flows,
			renewal(n, jittered(r, 20+100*r.Float64(), float64(i%7)/10), func(int) uint64 { return 100 + r.Uint64N(9) }),
			renewal(n, poisson(r, 60), constant(151)),
			renewal(n, func(int) float64 { return math.Exp(2 * r.NormFloat64()) }, func(int) uint64 { return r.Uint64N(5000) }))
	}
	return flows
}

func TestAnyOriginGivesTheSameResult(t *testing.T) {
	s := newScorer(t)
	for _, f := range shapes() {
		want := s.Score(f)
		for _, origin := range []time.Duration{-time.Hour, 1 << 60, math.MinInt64} {
			moved := Series{Bytes: f.Bytes}
			for _, at := range f.At {
				moved.At = append(moved.At, at+origin)
			}
			require.Equal(t, want, s.Score(moved))
		}
	}
}

func TestAnyOrderAndRepetitionGiveTheSameResult(t *testing.T) {
	s, r := newScorer(t), source(12)
	for _, f := range shapes() {
		want := s.Score(f)
		mixed := Series{At: slices.Clone(f.At), Bytes: slices.Clone(f.Bytes)}
		r.Shuffle(len(mixed.At), func(i, j int) {
			mixed.At[i], mixed.At[j] = mixed.At[j], mixed.At[i]
			mixed.Bytes[i], mixed.Bytes[j] = mixed.Bytes[j], mixed.Bytes[i]
		})
		require.Equal(t, want, s.Score(mixed))
		if len(f.At) > maxBeats/2 {
			continue // repetitions would push the oldest sends out of the newest 513
		}
		twice := Series{}
		for i, at := range f.At {
			twice.At, twice.Bytes = append(twice.At, at, at), append(twice.Bytes, f.Bytes[i], 0)
		}
		require.Equal(t, want, s.Score(twice))
	}
}

func TestAScorerRemembersNothing(t *testing.T) {
	used := newScorer(t)
	for _, f := range shapes() {
		require.Equal(t, newScorer(t).Score(f), used.Score(f))
	}
}

func TestTheFlowIsNotModified(t *testing.T) {
	s := newScorer(t)
	for _, f := range shapes() {
		slices.Reverse(f.At)
		at, bytes := slices.Clone(f.At), slices.Clone(f.Bytes)
		s.Score(f)
		require.Equal(t, at, f.At)
		require.Equal(t, bytes, f.Bytes)
	}
}

func TestOnlyTheNewestSendsAreRead(t *testing.T) {
	r := source(13)
	old := renewal(1000, poisson(r, 5), constant(3000))
	f := Series{At: slices.Clone(old.At), Bytes: slices.Clone(old.Bytes)}
	end := f.At[len(f.At)-1]
	var newest Series
	for i := range maxBeats {
		newest.At, newest.Bytes = append(newest.At, end+time.Duration(i+1)*time.Minute), append(newest.Bytes, 151)
	}
	f.At, f.Bytes = append(f.At, newest.At...), append(f.Bytes, newest.Bytes...)
	require.Equal(t, newScorer(t).Score(newest), newScorer(t).Score(f))
}

// A slower clock changes the interval and nothing else, where no absolute scale is near: intervals well above round trips,
// check-ins of one send.
func TestSlowerFlowsScoreAlike(t *testing.T) {
	s, r := newScorer(t), source(14)
	for _, jitter := range []float64{0, .1, .3, .5} {
		f := renewal(80, jittered(r, 100, jitter), constant(151))
		slow := Series{Bytes: f.Bytes}
		for _, at := range f.At {
			slow.At = append(slow.At, 64*at)
		}
		a, b := s.Score(f), s.Score(slow)
		require.InEpsilon(t, a.TimingEvidence, b.TimingEvidence, 1e-6)
		require.Equal(t, a.TimingShare, b.TimingShare)
		require.InDelta(t, a.Jitter, b.Jitter, 1e-9)
		require.InEpsilon(t, 64*a.Interval.Seconds(), b.Interval.Seconds(), 1e-6)
		require.InEpsilon(t, a.Evidence, b.Evidence, 1e-3)
	}
}

func TestLargerSizesScoreAlike(t *testing.T) {
	s, r := newScorer(t), source(15)
	f := renewal(80, jittered(r, 100, .2), func(int) uint64 { return 1000 + r.Uint64N(100) })
	large := Series{At: f.At}
	for _, b := range f.Bytes {
		large.Bytes = append(large.Bytes, 1024*b)
	}
	a, b := s.Score(f), s.Score(large)
	require.InEpsilon(t, a.SizeEvidence, b.SizeEvidence, 1e-6)
	require.Equal(t, a.SizeShare, b.SizeShare)
	require.InEpsilon(t, 1024*a.Size, b.Size, 1e-6)
	require.InDelta(t, a.SizeSpread, b.SizeSpread, 1e-9)
}

func TestOneAtATimeCheckInsMergeOnSilence(t *testing.T) {
	var raw, merged reading
	for _, beat := range [][2]float64{{0, 2}, {3, 3}, {3.9, 3.9}, {10, 10}} { // the second starts 1 s after the first ended
		raw.add(beat[0], beat[1], 10)
	}
	raw.measure()
	raw.markLadders()
	merged.merge(&raw, 1)
	require.Equal(t, []float64{0, 10}, merged.start)
	require.Equal(t, []float64{3.9, 10}, merged.end)
	require.Equal(t, []float64{30, 10}, merged.bytes)
	require.Equal(t, []float64{10}, merged.gaps)
	require.InDeltaSlice(t, []float64{math.Log(10)}, merged.logs, 1e-12)
}
