package history

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// crowded holds pairs with so many bursts each, of which the first is suspicious.
func crowded(t *testing.T, pairs, bursts int) *Store {
	s := newStore(t, Config{MaxPairs: pairs})
	for i := range bursts {
		for p := range pairs {
			s.Record(keyOf(fmt.Sprintf("/p/%d", p)), process.ID{PID: int32(p + 1)}, data("192.0.2.1:443", time.Duration(i)*time.Minute, 1))
		}
	}
	var v View
	s.Drain(&v, func(v *View) bool {
		if v.Key.Program.Path == "/p/0" {
			s.SetEvidence(v.ID, 40)
		}
		return true
	})
	return s
}

// lengths are the bursts held, by program.
func lengths(s *Store) map[string]int {
	all := map[string]int{}
	var v View
	s.Pairs(Filter{}, &v, func(v *View) { all[v.Key.Program.Path] = len(v.Bursts) })
	return all
}

func TestLongSeriesAreHalvedBeforeAnyIsForgotten(t *testing.T) {
	s := crowded(t, 16, 512)
	before := s.Stats()
	s.Fit(-15 * 256 * burstSize)
	st, held := s.Stats(), lengths(s)
	require.Equal(t, before.RingBytes-15*256*burstSize, st.RingBytes)
	require.EqualValues(t, 15, st.Trimmed)
	require.Equal(t, 512, held["/p/0"], "the suspicious one last")
	for p := 1; p < 16; p++ {
		require.Equal(t, 257, held[fmt.Sprintf("/p/%d", p)], "the newest half and the open burst")
	}
	s.Fit(-1 << 30)
	st = s.Stats()
	require.Equal(t, 16/least, st.Pairs, "down to a part of what is configured, however much is asked for")
	require.Equal(t, kept+1, lengths(s)["/p/0"])
	require.NotZero(t, st.Evictions)
}

func TestWhatIsGivenUpIsNotTakenAgainUntilThereIsRoom(t *testing.T) {
	s := crowded(t, 16, 512)
	s.Fit(-15*384*burstSize - 8*pairCost)
	st := s.Stats()
	grow := func() {
		for i := range 512 {
			for p := range 16 {
				s.Record(keyOf(fmt.Sprintf("/p/%d", p)), process.ID{PID: int32(p + 1)}, data("192.0.2.1:443", time.Duration(512+i)*time.Minute, 1))
			}
		}
	}
	grow()
	require.LessOrEqual(t, s.Stats().RingBytes, s.Stats().MaxRingBytes)
	require.LessOrEqual(t, s.Stats().Pairs, st.MaxPairs)
	require.Less(t, st.MaxPairs, 16)
	s.Fit(1 << 30)
	grow()
	require.Equal(t, 16, s.Stats().Pairs)
	require.Equal(t, 48<<20, s.Stats().MaxRingBytes, "never more than configured")
}

func TestProcessesOfAPairAreForgottenBeforeThePair(t *testing.T) {
	s := newStore(t, Config{MaxPairs: 16, MaxFlows: 1024})
	record := func(pid int) {
		s.Record(keyOf(fmt.Sprintf("/p/%d", pid%8)), process.ID{PID: int32(pid + 1)}, data("192.0.2.1:443", time.Duration(pid)*time.Second, 1))
	}
	for pid := range 1000 {
		record(pid)
	}
	s.Fit(-100*flowCost - 8*64*burstSize) // their series are halved first
	require.Equal(t, 900, s.Stats().Flows)
	require.EqualValues(t, 100, s.Stats().FlowEvictions)
	for pid := range 1000 {
		record(1000 + pid)
	}
	require.Equal(t, 900, s.Stats().Flows)
	s.Fit(-(900-1024/least)*flowCost - 8*128*burstSize)
	require.Equal(t, 1024/least, s.Stats().Flows, "down to a part of what is configured")
	require.Equal(t, 8, s.Stats().Pairs)
	var newest Flow
	s.Flows(Filter{}, func(f *Flow) { newest = *f })
	require.Greater(t, newest.Process.PID, int32(1000))
	s.Fit(1 << 20)
	for pid := range 2000 {
		record(2000 + pid)
	}
	require.Equal(t, 1024, s.Stats().Flows)
}

func TestAFloodUnderPressureDoesNotFlushABeacon(t *testing.T) {
	s := newStore(t, Config{MaxPairs: 1000})
	for i := range 512 {
		s.Record(keyOf("/beacon"), process.ID{PID: 1}, data("192.0.2.1:443", time.Duration(i)*time.Minute, 1))
		for p := range 100 {
			s.Record(keyOf("/flood"), process.ID{PID: 2}, data(fmt.Sprintf("198.51.%d.%d:443", i%256, p), time.Duration(i)*time.Minute, 1))
		}
		s.Fit(-100_000)
	}
	require.GreaterOrEqual(t, lengths(s)["/beacon"], kept)
}

// TestWhatIsForgottenTakesNoRoom: after a flood a store is about as large as one that never knew more than what is left.
func TestWhatIsForgottenTakesNoRoom(t *testing.T) {
	const pairs, few = 16 << 10, 256
	fill := func(n int) *Store {
		s := newStore(t, Config{MaxPairs: pairs, MaxFlows: pairs})
		for p := range n {
			s.Record(keyOf(fmt.Sprintf("/p/%d", p)), process.ID{PID: int32(p + 1)}, data("192.0.2.1:443", time.Duration(p)*time.Second, 1))
		}
		return s
	}
	live := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := live()
	fresh := fill(few)
	small := live() - before
	before = live()
	flooded := fill(pairs)
	full := live() - before
	for range 3 {
		flooded.Fit(-full)
	}
	require.Equal(t, pairs/least, flooded.Stats().Pairs)
	left := live() - before
	t.Logf("%d pairs take %d KiB, %d left of them %d KiB; %d that were never more %d KiB", pairs, full>>10, pairs/least, left>>10, few, small>>10)
	require.Less(t, left/(pairs/least), 2*small/few, "for each pair")
	runtime.KeepAlive([]*Store{fresh, flooded})
}

func TestFitTellsWhetherItWouldTakeMore(t *testing.T) {
	s := crowded(t, 16, 64)
	gave, full := s.Fit(1 << 30)
	require.Equal(t, [2]bool{}, [2]bool{gave, full}, "it may have all that is configured")
	gave, _ = s.Fit(-8 * pairCost)
	require.True(t, gave)
	_, full = s.Fit(pairCost)
	require.True(t, full, "what is left is all it may have")
	_, full = s.Fit(1 << 30)
	require.False(t, full, "there is room for one more")
	require.Equal(t, 16, s.Stats().MaxPairs)
}
