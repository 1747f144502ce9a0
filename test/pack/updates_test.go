package pack

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestAlertsChangeRarely plays implants of every class in simulated time to a ranker that refreshes as the sensor's does, looks
// every 5 minutes as the pack does, and counts how often the alert of a beacon changes once it is open. Growing evidence, lost
// beats and jitter must not be told as news.
func TestAlertsChangeRarely(t *testing.T) {
	const flows = 6
	var hours float64
	var changes, opened int
	for _, class := range simulate.Classes() {
		if class.Kind != simulate.Implant {
			continue
		}
		for i := range flows {
			synctest.Test(t, func(t *testing.T) {
				f := class.Flow(1, i)
				n, open := watch(t, f)
				if open > 0 {
					opened++
				}
				changes, hours = changes+n, hours+open.Hours()
			})
		}
	}
	t.Logf("%d alerts, open for %.0f hours, changed or closed %d times: once in %.0f hours", opened, hours, changes, hours/float64(max(changes, 1)))
	require.Greater(t, opened, 100, "the classes are found at all")
	require.Less(t, float64(changes), hours/24, "an open alert changes less than once a day")
}

// watch plays a flow and returns how often its alert changed or closed, and for how long it was open.
func watch(t *testing.T, f simulate.Flow) (changes int, open time.Duration) {
	const every = 5 * time.Minute
	store, err := history.New(history.Config{})
	require.NoError(t, err)
	ranker, err := candidate.New(candidate.Config{Store: store})
	require.NoError(t, err)
	begun, last, next := time.Now(), "", 0
	for elapsed := time.Duration(0); elapsed <= f.Window; elapsed += time.Minute {
		for ; next < len(f.At) && f.At[next] <= elapsed; next++ {
			store.Record(&history.Key{Program: process.Program{Path: "/implant"}}, process.ID{PID: 1}, &send.Send{Kind: send.Data, Sends: 1,
				At: boottime.Time(begun.Add(f.At[next]).UnixNano()), Bytes: f.Bytes[next], Within: f.Resolution,
				Socket: send.Socket{Protocol: send.TCP, Remote: netip.MustParseAddrPort("198.51.100.7:443")}})
		}
		ranker.Refresh()
		if elapsed%every == 0 {
			row := alertRow(ranker)
			if last != "" {
				open += every
				if row != last {
					changes++
				}
			}
			last = row
		}
		time.Sleep(time.Minute) // the bubble's clock
	}
	return changes, open
}

// alertRow are the columns of beacon_alert that may change, or nothing if it has no row.
func alertRow(ranker *candidate.Ranker) string {
	for _, c := range ranker.Snapshot().Select(history.Filter{}) {
		if c.Result.Codes.Has(beacon.AboveThreshold) {
			return strings.Join(append(c.Result.ReasonCodes(), c.IntervalClass, c.SizeClass), ",")
		}
	}
	return ""
}
