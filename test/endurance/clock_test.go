package endurance

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/table"
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
				var now, down time.Duration // a clock that is ahead after a reboot looks like a host that was down
				for i, e := range traffic {
					time.Sleep(e.At - now)
					now = e.At
					e.Record(s.Store, s.Boot.Time(e.At))
					switch i {
					case 100, 300: // the host reboots, and its clock is another
						at := i / 200 * 2
						boot.Step = steps[at]
						down += max(steps[at+1]-steps[at], 0)
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
				wall := func(at time.Duration) string {
					return strconv.FormatInt(int64((epoch+s.Boot.Step+at).Truncate(time.Second)/time.Second), 10)
				}
				first, last := wall(traffic[0].At-down), wall(now)
				candidates := rowsOf(t, s, "beacon_candidates")
				require.Len(t, candidates, 1)
				require.Equal(t, first, candidates[0]["first_seen"])
				require.Equal(t, last, candidates[0]["last_seen"])
				requireInterval(t, candidates[0]["interval_ms"])
				flows := rowsOf(t, s, "process_outbound_stats")
				require.NotEmpty(t, flows)
				require.Equal(t, first, flows[0]["first_seen"])
				require.Equal(t, last, flows[len(flows)-1]["last_seen"])
				requireInterval(t, flows[len(flows)-1]["interval_median_ms"])
				bursts := rowsOf(t, s, "process_send_history")
				require.Len(t, bursts, min(len(traffic), 513))
				require.Equal(t, last, bursts[len(bursts)-1]["time"])
				late := 0
				for _, b := range bursts[1:] {
					if ms, err := strconv.Atoi(b["interval_ms"]); err != nil || ms < 53_000 || ms > 67_000 {
						late++
					}
				}
				require.LessOrEqual(t, late, 2, "only over a reboot may a gap be another")
			})
		})
	}
}

// rowsOf are the rows of a table, oldest first, as osquery gets them.
func rowsOf(t *testing.T, s *Sensor, name string) []map[string]string {
	t.Helper()
	for _, p := range table.All(table.Deps{Store: s.Store, Ranker: s.Ranker, Clock: boottime.By(s.Boot.Offset), Replay: true}) {
		if p.Name() == name {
			response := p.Call(t.Context(), map[string]string{"action": "generate", "context": `{"constraints":[]}`})
			require.EqualValues(t, 0, response.Status.Code, response.Status.Message)
			slices.SortStableFunc(response.Response, func(a, b map[string]string) int { return strings.Compare(a["first_seen"], b["first_seen"]) })
			return response.Response
		}
	}
	t.Fatal("no table ", name)
	return nil
}

func requireInterval(t *testing.T, ms string) {
	t.Helper()
	interval, err := strconv.ParseFloat(ms, 64)
	require.NoError(t, err)
	require.InEpsilon(t, float64(time.Minute.Milliseconds()), interval, 0.05)
}
