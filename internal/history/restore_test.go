package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// reopened saves s and restores it into a store of another configuration.
func reopened(t testing.TB, s *Store, c Config, prepare func(*Restorer)) *Store {
	restored := newStore(t, c)
	r := restored.Restorer()
	if prepare != nil {
		prepare(r)
	}
	require.NoError(t, s.Save(Visitor{Program: r.Program, Pair: r.Pair, Flow: r.Flow}))
	return restored
}

// lively is a store with all that a store can hold: short and long series, a program with a series of its own, processes
// that come and go, failures, coarsened rings.
func lively(t testing.TB) *Store {
	s := newStore(t, Config{MaxBursts: 64})
	for i := range 300 {
		now := time.Duration(i) * time.Minute
		s.Record(keyOf("/beacon"), process.ID{PID: 7, StartTicks: 1}, data("192.0.2.1:443", now, 100))
		s.Record(keyOf("/rotator"), process.ID{PID: int32(1000 + i)}, data(fmt.Sprintf("192.0.2.%d:443", i%20+2), now, 200))
		failed := data("192.0.2.99:443", now, 0)
		failed.Kind = send.Failed
		s.Record(keyOf("/retry"), process.ID{PID: 8}, failed)
		for n := range 4 {
			s.Record(keyOf("/tls"), process.ID{PID: 9}, data("192.0.2.100:443", now+time.Duration(n)*90*time.Millisecond, 50))
		}
	}
	s.Record(keyOf("/once"), process.ID{}, data("192.0.2.101:443", 0, 1))
	return s
}

type state struct {
	pairs map[string]View
	all   map[string]View
	flows map[string]Flow
	ring  int
}

// held copies what a reader can learn of a store, without its internal numbers.
func held(s *Store) state {
	st := state{map[string]View{}, map[string]View{}, map[string]Flow{}, s.Stats().RingBytes}
	var v View
	s.Drain(&v, func(v *View) bool { return true })
	for _, p := range s.pairs {
		s.mark(p)
	}
	for _, p := range s.programs {
		if p.hasAll {
			s.markAll(p)
		}
	}
	s.Drain(&v, func(v *View) bool {
		c := *v
		c.ID, c.ProgramID, c.Bursts = 0, 0, append([]Burst(nil), v.Bursts...)
		if c.All {
			st.all[c.Key.Program.Path] = c
		} else {
			st.pairs[c.Key.Program.Path+" "+c.Destination.String()] = c
		}
		return true
	})
	s.Flows(Filter{}, func(f *Flow) { st.flows[fmt.Sprint(f.Process, f.Destination)] = *f })
	return st
}

func TestARestoredStoreIsTheSame(t *testing.T) {
	s := lively(t)
	again := reopened(t, s, Config{MaxBursts: 64}, nil)
	require.Equal(t, held(s), held(again))
	for i := 300; i < 400; i++ { // and goes on as if nothing had happened
		for _, store := range []*Store{s, again} {
			now := time.Duration(i) * time.Minute
			store.Record(keyOf("/beacon"), process.ID{PID: 7, StartTicks: 1}, data("192.0.2.1:443", now, 100))
			store.Record(keyOf("/rotator"), process.ID{PID: int32(1000 + i)}, data(fmt.Sprintf("192.0.2.%d:443", i%20+2), now, 200))
			store.Record(keyOf("/once"), process.ID{PID: 3}, data(fmt.Sprintf("192.0.2.%d:80", i%100), now, 1))
		}
	}
	require.Equal(t, held(s), held(again))
}

func TestTimeGoesOnAcrossAReboot(t *testing.T) {
	const uptime, off = 10 * 24 * time.Hour, 5 * time.Minute
	s := newStore(t, Config{})
	for i := range 100 {
		s.Record(keyOf("/beacon"), process.ID{PID: 7}, data("192.0.2.1:443", uptime+time.Duration(i)*time.Minute, 100))
	}
	last := onlyPair(t, s).Totals.Last
	again := reopened(t, s, Config{}, func(r *Restorer) {
		r.Shift = -time.Duration(last) - off // it was down for five minutes
		r.Process = func(id process.ID) process.ID { return id.Former() }
	})
	v := onlyPair(t, again)
	require.Equal(t, boottime.Time(-off), v.Totals.Last)
	require.True(t, v.Latest.IsFormer(), "a PID of an earlier boot is nobody's now")
	for i := range 10 {
		sd := data("192.0.2.1:443", 0, 100)
		sd.At = boottime.Time(time.Duration(i) * time.Minute)
		again.Record(keyOf("/beacon"), process.ID{PID: 7}, sd)
	}
	v = onlyPair(t, again)
	require.Len(t, v.Bursts, 110)
	for i, b := range v.Bursts[1:] {
		want := time.Minute
		if i == 99 {
			want = off
		}
		require.InDelta(t, want, b.At.Sub(v.Bursts[i].At), 2<<tick, "gap %d", i)
	}
	require.Equal(t, 2, v.Processes)
}

func TestASmallerStoreKeepsTheNewestAndTheSuspicious(t *testing.T) {
	s := lively(t)
	for _, p := range s.pairs {
		if p.program.key.Program.Path == "/beacon" {
			s.SetEvidence(p.id, 50)
		}
	}
	again := reopened(t, s, Config{MaxPairs: 3, MaxBursts: 16, MaxFlows: 2}, nil)
	st := again.Stats()
	require.LessOrEqual(t, st.Pairs, 3)
	require.LessOrEqual(t, st.Flows, 2)
	var v View
	found := false
	again.Pairs(Filter{Path: "/beacon"}, &v, func(v *View) {
		found = true
		require.Len(t, v.Bursts, 17, "the ring and the open burst")
		require.Equal(t, at(299*time.Minute), v.Bursts[16].At)
	})
	require.True(t, found)
}

func TestWhatNoSaveHasWrittenIsRefused(t *testing.T) {
	r := newStore(t, Config{}).Restorer()
	require.ErrorContains(t, r.Pair(&SavedPair{Program: 9}), "which is not there")
	require.ErrorContains(t, r.Program(&SavedProgram{All: SavedSeries{Packed: make([]byte, 17)}}), "not a multiple")
	require.ErrorContains(t, r.Program(&SavedProgram{All: SavedSeries{Silence: -1}}), "silence")
	require.ErrorContains(t, r.Program(&SavedProgram{All: SavedSeries{Open: Burst{At: 2, Last: 1}}}), "before it begins")
	require.ErrorContains(t, r.Flow(&SavedFlow{Bursts: 5, Gaps: make([]uint32, 40)}), "5 bursts with 40 gaps")
}

func TestSavingDoesNotHoldUpRecording(t *testing.T) {
	s := lively(t)
	recorded := 0
	require.NoError(t, s.Save(Visitor{
		Program: func(*SavedProgram) error { return nil },
		Pair: func(*SavedPair) error { // the lock is free here
			s.Record(keyOf("/new"), process.ID{PID: 1}, data(fmt.Sprintf("198.51.100.%d:1", recorded), 0, 1))
			recorded++
			return nil
		},
		Flow: func(*SavedFlow) error { return nil },
	}))
	require.Positive(t, recorded)
}
