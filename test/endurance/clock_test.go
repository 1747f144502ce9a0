package endurance

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

// TestTheClockIsSetByADay: the wall clock goes a day ahead and two days back, with a restart and a reboot at each step, when it
// may have been right or wrong at the time of the last save. No interval and no evidence changes by that.
func TestTheClockIsSetByADay(t *testing.T) {
	for name, steps := range map[string][4]time.Duration{ // while saving, and after the reboot; twice
		"ahead, then right": {day, 0, day, 0},
		"back, then right":  {-day, 0, -day, 0},
		"back and forth":    {day, -day, day, -day},
		"always wrong":      {day, day, -day, -day},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewSender(1, "/opt/beacon", time.Minute, 0.1)
				traffic := Day([]*Sender{b}, 10*time.Hour)
				path := filepath.Join(t.TempDir(), "histories")
				boot := &Boot{ID: "boot-0"}
				s, err := Start(boot, history.Config{}, path)
				require.NoError(t, err)
				var now time.Duration
				for i, e := range traffic {
					time.Sleep(e.At - now)
					now = e.At
					e.Record(s.Store, s.Boot.Time(e.At))
					switch i {
					case 100, 300: // the host reboots, and its clock is another
						at := i / 200 * 2
						boot.Step = steps[at]
						s.Ranker.Refresh()
						require.NoError(t, s.File.Save())
						boot = &Boot{ID: boot.ID + "'", Began: now - 10*time.Second, Step: steps[at+1]}
						s, err = Start(boot, history.Config{}, path)
						require.NoError(t, err)
					case 200, 400: // it is set while the sensor runs, and the sensor restarts
						boot.Step = -boot.Step
						require.NoError(t, s.File.Save())
						boot.Step += time.Hour
						s, err = Start(boot, history.Config{}, path)
						require.NoError(t, err)
					}
				}
				s.Ranker.Refresh()
				c := s.Ranker.Snapshot().Select(history.Filter{Path: b.Path})[0]
				require.Greater(t, c.Result.Score, 0.95)
				require.InEpsilon(t, time.Minute, c.Result.Interval, 0.05)
				var v history.View
				s.Store.Pairs(history.Filter{}, &v, func(v *history.View) {
					newest := v.Bursts[len(v.Bursts)-1]
					require.InDelta(t, now, s.Boot.Day(newest.At), float64(fine), "what came last is last")
					require.Len(t, v.Bursts, min(len(traffic), 513), "none is lost")
					require.LessOrEqual(t, s.Boot.Day(v.Totals.Last), now, "and none lies ahead")
				})
			})
		})
	}
}
