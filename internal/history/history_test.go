package history

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func at(d time.Duration) boottime.Time { return boottime.Time(time.Hour + d) }

func keyOf(path string) *Key { return &Key{Program: process.Program{Path: path, UID: 1000}} }

func to(addr string) send.Socket {
	return send.Socket{Protocol: send.TCP, Remote: netip.MustParseAddrPort(addr)}
}

func data(addr string, t time.Duration, bytes uint64) *send.Send {
	return &send.Send{Socket: to(addr), Kind: send.Data, At: at(t), Bytes: bytes, Sends: 1}
}

func newStore(t testing.TB, c Config) *Store {
	s, err := New(c)
	require.NoError(t, err)
	return s
}

func onlyPair(t testing.TB, s *Store) View {
	var v, got View
	n := 0
	s.Pairs(Filter{}, &v, func(v *View) { got, n = *v, n+1 })
	require.Equal(t, 1, n)
	return got
}

func TestMicroBurstsAreCutOnSilenceSinceTheLastSend(t *testing.T) {
	s := newStore(t, Config{})
	for _, ms := range []int{0, 40, 80, 120, 160, 220, 260, 1000} { // 160→220 is the first silence over 50 ms
		s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", time.Duration(ms)*time.Millisecond, 10))
	}
	v := onlyPair(t, s)
	var starts []time.Duration
	var bytes []uint64
	for _, b := range v.Bursts {
		starts = append(starts, b.At.Sub(at(0)).Round(time.Millisecond))
		bytes = append(bytes, b.Bytes)
	}
	require.Equal(t, []time.Duration{0, 220 * time.Millisecond, time.Second}, starts)
	require.Equal(t, []uint64{50, 20, 10}, bytes)
	require.EqualValues(t, 80, v.Totals.Bytes)
	require.EqualValues(t, 8, v.Totals.Sends)
}

func TestKinds(t *testing.T) {
	s := newStore(t, Config{})
	record := func(kind send.Kind, t time.Duration, bytes uint64, q send.Quality) {
		s.Record(keyOf("/x"), process.ID{PID: 7}, &send.Send{Socket: to("192.0.2.1:443"), Kind: kind, At: at(t), Bytes: bytes, Quality: q})
	}
	record(send.Open, 0, 0, send.Exact)
	record(send.Data, 300*time.Millisecond, 100, send.Exact) // the handshake took 300 ms: still the same beat
	record(send.Close, 900*time.Millisecond, 0, send.Exact)  // an end without payload is no beat
	record(send.Failed, 10*time.Second, 0, send.Exact)
	record(send.Open, 10*time.Second+20*time.Millisecond, 0, send.Exact) // succeeds at once: an event of its own
	record(send.Close, 30*time.Second, 50, send.Exact)                   // last bytes are payload
	v := onlyPair(t, s)
	require.Len(t, v.Bursts, 4)
	require.Equal(t, []bool{false, true, false, false}, []bool{v.Bursts[0].Failed, v.Bursts[1].Failed, v.Bursts[2].Failed, v.Bursts[3].Failed})
	require.EqualValues(t, 100, v.Bursts[0].Bytes)
	require.EqualValues(t, 2, v.Totals.Connections)
	require.EqualValues(t, 1, v.Totals.Failed)
}

func TestSourceResolutionWidensTheCut(t *testing.T) {
	s := newStore(t, Config{})
	for i := range 10 {
		sd := data("192.0.2.1:443", time.Duration(i)*200*time.Millisecond, 1)
		sd.Within = 300 * time.Millisecond // slower than the sender: these cannot be told apart
		s.Record(keyOf("/x"), process.ID{PID: 7}, sd)
	}
	require.Len(t, onlyPair(t, s).Bursts, 1)
}

func TestLateReportsAreFiledInOrder(t *testing.T) {
	s := newStore(t, Config{})
	for _, sec := range []int{1, 2, 5, 4, 3, 6} {
		s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", time.Duration(sec)*time.Second, uint64(sec)))
	}
	v := onlyPair(t, s)
	for i, b := range v.Bursts {
		require.EqualValues(t, i+1, b.Bytes)
	}
	require.Len(t, v.Bursts, 6)
}

func TestRingIsBoundedAndKeepsTheNewest(t *testing.T) {
	s := newStore(t, Config{MaxBursts: 64})
	for i := range 1000 {
		s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", time.Duration(i)*time.Minute, uint64(i)))
	}
	v := onlyPair(t, s)
	require.Len(t, v.Bursts, 65, "the ring and the open burst")
	require.EqualValues(t, 999, v.Bursts[64].Bytes)
	require.EqualValues(t, 999-64, v.Bursts[0].Bytes)
	require.EqualValues(t, 1000, v.Begun)
	require.Equal(t, 64*16, s.Stats().RingBytes)
}

func TestCoarseningKeepsRhythms(t *testing.T) {
	tests := []struct {
		name  string
		sends func(i int) time.Duration
		span  time.Duration // the least time the full ring must still cover
		step  time.Duration // and the median gap it must show
	}{
		{"chunks every 200 ms keep their period", func(i int) time.Duration { return time.Duration(i) * 200 * time.Millisecond },
			12 * time.Second, 200 * time.Millisecond},
		{"check-ins of four sends become one burst each", func(i int) time.Duration {
			return time.Duration(i/4)*time.Minute + time.Duration(i%4)*90*time.Millisecond
		}, 40 * time.Minute, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, Config{MaxBursts: 64})
			for i := range 400 {
				s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", tt.sends(i), 1))
			}
			v := onlyPair(t, s)
			require.GreaterOrEqual(t, v.Bursts[len(v.Bursts)-1].At.Sub(v.Bursts[0].At), tt.span)
			var gaps []uint32
			for i := 1; i < len(v.Bursts); i++ {
				gaps = append(gaps, uint32(v.Bursts[i].At.Sub(v.Bursts[i-1].At).Milliseconds()))
			}
			median, _ := medianMAD(gaps)
			require.InDelta(t, tt.step.Milliseconds(), median, 2)
		})
	}
}

func TestProgramSeriesJoinsDestinations(t *testing.T) {
	s := newStore(t, Config{})
	for i := range 40 { // a beacon that rotates over four servers
		s.Record(keyOf("/x"), process.ID{PID: 7}, data(fmt.Sprintf("192.0.2.%d:443", i%4), time.Duration(i)*time.Minute, 100))
	}
	s.Record(keyOf("/y"), process.ID{PID: 8}, data("192.0.2.9:443", 0, 1))
	var v View
	var all []View
	s.Drain(&v, func(v *View) bool {
		if v.All {
			c := *v
			c.Bursts = append([]Burst(nil), v.Bursts...)
			all = append(all, c)
		}
		return true
	})
	require.Len(t, all, 1, "one destination needs no second series")
	require.Len(t, all[0].Bursts, 40)
	require.Equal(t, 4, all[0].Destinations)
	require.Equal(t, "/x", all[0].Key.Program.Path)
}

func TestDrainGivesEachChangeOnce(t *testing.T) {
	s := newStore(t, Config{})
	count := func() (n int) {
		var v View
		s.Drain(&v, func(*View) bool { n++; return true })
		return n
	}
	s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", 0, 1))
	s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", time.Second, 1))
	require.Equal(t, 1, count())
	require.Zero(t, count())
	s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", 2*time.Second, 1))
	require.Equal(t, 1, count())
	s.Record(keyOf("/x"), process.ID{PID: 7}, data("192.0.2.1:443", 3*time.Second, 1))
	var v View
	s.Drain(&v, func(*View) bool { return false })
	require.Equal(t, 1, count(), "a reader that is not done sees it again")
}

func TestOnlyJoiningDestinationsMakeAProgramsSeries(t *testing.T) {
	s := newStore(t, Config{Joins: func(d send.Destination) bool { return !d.Remote.Addr().IsLoopback() }})
	for i, addr := range []string{"127.0.0.1:80", "192.0.2.1:443", "192.0.2.2:443", "127.0.0.2:80", "192.0.2.1:443"} {
		s.Record(keyOf("/x"), process.ID{PID: 7}, data(addr, time.Duration(i)*time.Second, 1))
	}
	var v View
	s.Drain(&v, func(v *View) bool {
		if v.All {
			require.Len(t, v.Bursts, 3)
			require.Equal(t, 2, v.Destinations)
		}
		return true
	})
}

func TestHostsAreKeptApart(t *testing.T) {
	s := newStore(t, Config{})
	for _, host := range []string{"10.0.0.1", "10.0.0.2"} {
		s.Record(&Key{Host: host}, process.ID{}, data("192.0.2.1:443", 0, 1))
	}
	require.Equal(t, 2, s.Stats().Pairs)
}

func TestConfigIsValidated(t *testing.T) {
	_, err := New(Config{MaxPairs: -1})
	require.ErrorContains(t, err, "MaxPairs is -1")
	_, err = New(Config{MaxBursts: 3})
	require.ErrorContains(t, err, "at least 16")
}
