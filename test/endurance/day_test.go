package endurance

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
)

const (
	day = 24 * time.Hour
	// saving is the default of checkpoint_interval.
	saving = 5 * time.Minute
	// fine is how exactly an instant survives: a burst has steps of 65.5 µs, each time line a few nanoseconds.
	fine = time.Millisecond
)

// TestADayOfKills: the sensor is killed a hundred times in a day, and the host reboots each tenth time. What was sent since the
// last save is lost, and nothing else; nothing is there twice; every beacon is found, and nobody else.
func TestADayOfKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kills = 100
		beacons, others := Beacons(), Others()
		traffic := Day(append(slices.Clone(beacons), others...), day)
		path := filepath.Join(t.TempDir(), "histories")
		random := rand.New(rand.NewPCG(1, 2))
		var killed []time.Duration
		for range kills {
			killed = append(killed, time.Duration(random.Int64N(int64(day-time.Hour))))
		}
		slices.Sort(killed)

		s, err := Start(&Boot{ID: "boot-0"}, history.Config{}, path)
		require.NoError(t, err)
		now, saved, died := time.Duration(0), time.Duration(0), 0
		var lost [][2]time.Duration
		until := func(at time.Duration) { // lives until then
			for saved+saving <= at {
				saved += saving
				time.Sleep(saved - now)
				now = saved
				s.Ranker.Refresh()
				require.NoError(t, s.File.Save())
			}
			time.Sleep(at - now)
			now = at
		}
		for _, e := range traffic {
			for died < kills && killed[died] <= e.At {
				until(killed[died])
				lost = append(lost, [2]time.Duration{saved, killed[died]})
				boot := s.Boot
				if died++; died%10 == 0 {
					boot = &Boot{ID: fmt.Sprint("boot-", died), Began: now}
				}
				s, err = Start(boot, history.Config{}, path)
				require.NoError(t, err)
				saved = now
			}
			until(e.At)
			e.Record(s.Store, s.Boot.Time(e.At))
		}
		until(day)
		s.Ranker.Refresh()
		require.Equal(t, kills, died)

		gone := 0
		for _, b := range beacons {
			gone += compare(t, s, b, lost)
			found := s.Ranker.Snapshot().Select(history.Filter{Path: b.Path})
			require.NotEmpty(t, found, b.Path)
			require.Equal(t, candidate.ByDestination, found[0].Scope)
			require.Greater(t, found[0].Result.Score, 0.9, "%s: %+v", b.Path, found[0].Result)
			require.InEpsilon(t, b.Every, found[0].Result.Interval, 0.05, b.Path)
		}
		for _, c := range s.Ranker.Snapshot().Select(history.Filter{Path: others[0].Path}) {
			require.Less(t, c.Result.Score, 0.5, "%+v", c.Result)
		}
		t.Logf("%d kills, 10 of them reboots: %d check-ins lost of those that were sent between a save and a kill", kills, gone)
	})
}

// compare holds each burst of a sender's history against its record: none that was not sent, none twice, and missing only
// what was sent in a span that was lost. It returns how many those are.
func compare(t *testing.T, s *Sensor, b *Sender, lost [][2]time.Duration) (gone int) {
	t.Helper()
	var v history.View
	pairs := 0
	s.Store.Pairs(history.Filter{Path: b.Path}, &v, func(v *history.View) {
		pairs++
		sent := b.Record
		if len(v.Bursts) > 0 { // what is older was forgotten in order
			first := s.Boot.Day(v.Bursts[0].At)
			for len(sent) > 0 && sent[0].At < first-fine {
				sent = sent[1:]
			}
		}
		for _, burst := range v.Bursts {
			at := s.Boot.Day(burst.At)
			for len(sent) > 0 && sent[0].At < at-fine {
				require.True(t, slices.ContainsFunc(lost, func(span [2]time.Duration) bool {
					return sent[0].At >= span[0] && sent[0].At <= span[1]
				}), "%s: the check-in at %s is missing", b.Path, sent[0].At)
				sent, gone = sent[1:], gone+1
			}
			require.NotEmpty(t, sent, "%s: nothing was sent at %s", b.Path, at)
			require.InDelta(t, sent[0].At, at, float64(fine), b.Path)
			require.Equal(t, sent[0].Bytes, burst.Bytes, b.Path)
			sent = sent[1:]
		}
		for ; len(sent) > 0; sent, gone = sent[1:], gone+1 {
			require.True(t, slices.ContainsFunc(lost, func(span [2]time.Duration) bool {
				return sent[0].At >= span[0] && sent[0].At <= span[1]
			}), "%s: the check-in at %s is missing", b.Path, sent[0].At)
		}
	})
	require.Equal(t, 1, pairs, b.Path)
	return gone
}

// TestADayEndsWithTheMemoryItTookByTheAfternoon: by then sixteen hourly check-ins have filled the last series.
func TestADayEndsWithTheMemoryItTookByTheAfternoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic := Day(append(Beacons(), Others()...), day)
		path := filepath.Join(t.TempDir(), "histories")
		s, err := Start(&Boot{ID: "boot"}, history.Config{MaxPairs: 2000, MaxFlows: 2000, MaxBursts: 16}, path)
		require.NoError(t, err)
		goroutines := runtime.NumGoroutine()
		var now, saved time.Duration
		var hourly []uint64
		for _, e := range traffic {
			for ; saved+saving <= e.At; saved += saving {
				s.Ranker.Refresh()
				s.Store.Sweep(s.Boot.Time(e.At))
				require.NoError(t, s.File.Save())
				if saved%time.Hour == 0 {
					hourly = append(hourly, live())
				}
			}
			time.Sleep(e.At - now)
			now = e.At
			e.Record(s.Store, s.Boot.Time(e.At))
		}
		afternoon, last := hourly[16], hourly[len(hourly)-1]
		t.Logf("live heap by the hour, in KiB: %v", hourly)
		require.LessOrEqual(t, float64(last), 1.02*float64(afternoon))
		require.Equal(t, goroutines, runtime.NumGoroutine())
		require.Greater(t, s.Store.Stats().Evictions, uint64(5000))
		runtime.KeepAlive(traffic)
	})
}

// live is the heap in use, in KiB.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 10
}
