package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

func TestFloodOfOneOffConnectionsDoesNotFlushABeacon(t *testing.T) {
	s := newStore(t, Config{MaxPairs: 100})
	beacon := keyOf("/usr/lib/implant")
	for beat := range 50 {
		now := time.Duration(beat) * time.Minute
		s.Record(beacon, process.ID{PID: 7}, data("192.0.2.1:443", now, 100))
		for i := range 500 { // each to a new destination, from many programs
			s.Record(keyOf(fmt.Sprintf("/flood/%d", i%10)), process.ID{PID: int32(100 + i%10)},
				data(fmt.Sprintf("198.51.%d.%d:80", beat, i%250), now+time.Duration(i)*time.Millisecond, 1))
		}
	}
	var v View
	beats := 0
	s.Pairs(Filter{Path: "/usr/lib/implant"}, &v, func(v *View) { beats = len(v.Bursts) })
	require.Equal(t, 50, beats)
	st := s.Stats()
	require.LessOrEqual(t, st.Pairs, 100)
	require.Greater(t, st.Evictions, uint64(10_000))
	require.Len(t, s.programs, st.Programs)
}

func TestEvidenceOutlivesActivity(t *testing.T) {
	s := newStore(t, Config{MaxPairs: 2})
	s.Record(keyOf("/beacon"), process.ID{PID: 1}, data("192.0.2.1:443", 0, 1))
	var v View
	s.Drain(&v, func(v *View) bool { s.SetEvidence(v.ID, 40); return true })
	for i := range 20 {
		s.Record(keyOf("/busy"), process.ID{PID: 2}, data("192.0.2.2:443", time.Duration(i)*time.Second, 1))
	}
	s.Record(keyOf("/new"), process.ID{PID: 3}, data("192.0.2.3:443", time.Minute, 1))
	found := false
	s.Pairs(Filter{Path: "/beacon"}, &v, func(*View) { found = true })
	require.True(t, found)
}

func TestByteBudgetHolds(t *testing.T) {
	const budget = 64 << 10
	s := newStore(t, Config{MaxPairs: 1000, MaxBytes: budget})
	for i := range 200 {
		for p := range 100 {
			s.Record(keyOf("/x"), process.ID{PID: 7}, data(fmt.Sprintf("192.0.2.%d:443", p), time.Duration(i)*time.Minute, 1))
		}
	}
	st := s.Stats()
	require.LessOrEqual(t, st.RingBytes, budget)
	require.NotZero(t, st.Evictions)
	held := len(s.programs[*keyOf("/x")].all.slots) * 16
	for _, p := range s.pairs {
		held += len(p.series.slots) * 16
	}
	require.Equal(t, held, st.RingBytes, "the account is the sum of the rings")
}

func TestFlowsAreBoundedAndIndexed(t *testing.T) {
	s := newStore(t, Config{MaxFlows: 10})
	for pid := range 100 {
		s.Record(keyOf("/usr/bin/curl"), process.ID{PID: int32(pid + 1), StartTicks: 5}, data("192.0.2.1:443", time.Duration(pid)*time.Minute, 100))
	}
	n := 0
	s.Flows(Filter{}, func(*Flow) { n++ })
	require.Equal(t, 10, n)
	n = 0
	s.Flows(Filter{PID: 100}, func(f *Flow) { n++; require.EqualValues(t, 100, f.Totals.Bytes) })
	require.Equal(t, 1, n)
	require.Len(t, s.byPID, 10)
	require.Equal(t, 100, onlyPair(t, s).Processes, "twenty beats of twenty processes are one history")
	require.Len(t, onlyPair(t, s).Bursts, 100)
}

func TestSweepForgetsTheSilent(t *testing.T) {
	s := newStore(t, Config{Retention: time.Hour})
	s.Record(keyOf("/old"), process.ID{PID: 1}, data("192.0.2.1:443", 0, 1))
	s.Record(keyOf("/new"), process.ID{PID: 2}, data("192.0.2.1:443", 2*time.Hour, 1))
	s.Sweep(at(2 * time.Hour))
	require.Equal(t, "/new", onlyPair(t, s).Key.Program.Path)
	require.Equal(t, 1, s.Stats().Flows)
	require.Equal(t, 1, s.Stats().Programs)
}

func TestExecGivesAProcessANewProgram(t *testing.T) {
	s := newStore(t, Config{})
	id := process.ID{PID: 9, StartTicks: 1}
	s.Record(keyOf("/bin/sh"), id, data("192.0.2.1:443", 0, 1))
	s.Record(keyOf("/usr/bin/curl"), id, data("192.0.2.1:443", time.Second, 1))
	paths := map[string]bool{}
	s.Flows(Filter{PID: 9}, func(f *Flow) { paths[f.Key.Program.Path] = true })
	require.Equal(t, map[string]bool{"/usr/bin/curl": true}, paths)
	require.Equal(t, 2, s.Stats().Pairs)
}

func TestFlowsWithoutAProcessAreKeptApart(t *testing.T) {
	s := newStore(t, Config{})
	for i := range 10 { // sampled, then destroyed: the notice does not say whose the socket was
		key := &Key{Program: process.Program{UID: uint32(i % 2 * 1000)}}
		s.Record(key, process.ID{}, data("192.0.2.1:443", time.Duration(i)*time.Second, 100))
	}
	var bytes uint64
	s.Flows(Filter{}, func(f *Flow) { bytes += f.Totals.Bytes })
	require.EqualValues(t, 1000, bytes)
	require.Equal(t, 2, s.Stats().Flows)
}

func TestAliveNamesTheGone(t *testing.T) {
	s := newStore(t, Config{MaxPairs: 1})
	var v View
	var ids []uint64
	s.Record(keyOf("/a"), process.ID{PID: 1}, data("192.0.2.1:443", 0, 1))
	s.Drain(&v, func(v *View) bool { ids = append(ids, v.ID); return true })
	s.Record(keyOf("/b"), process.ID{PID: 2}, data("192.0.2.2:443", 0, 1))
	var gone []uint64
	s.Alive(ids, func(id uint64) { gone = append(gone, id) })
	require.Equal(t, ids, gone)
}
