package pipeline

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/packs"
	"github.com/beaconwatch/beaconwatch/test/scene"
	"github.com/beaconwatch/beaconwatch/test/schedule"
)

// TestThreeDaysOfSchedule runs the shipped packs for 72 hours over beacons that come, stay and go, while osqueryd restarts
// 20 times: with its database, with the database lost (a dump with counter 0), and with a new epoch. Nothing grows, nothing
// is said twice, and no candidate is lost.
func TestThreeDaysOfSchedule(t *testing.T) {
	const hours, restarts = 72, 20
	start := time.Now().UTC().Truncate(time.Hour).Add(-hours * time.Hour)
	h := &host{name: "web-00", role: "web", scene: scene.New(t), programs: []program{agent(0), poller("web", 0), implant(),
		{path: "/opt/gone", to: "203.0.113.8:443", every: 2 * time.Minute, bytes: 300, from: 5 * time.Hour, until: 14 * time.Hour},
		{path: "/opt/late", to: "203.0.113.9:443", every: 5 * time.Minute, bytes: 90, from: 60 * time.Hour, until: 1000 * time.Hour},
	}}
	querier, err := packs.NewHost(h.scene.Deps(), nil)
	require.NoError(t, err)
	defer querier.Close()
	clock := &clocked{Querier: querier}
	var results, snapshots bytes.Buffer
	config := schedule.Config{Host: h.name, Querier: clock, Results: &results, Snapshots: &snapshots, Packs: shippedPacks(t), Database: schedule.NewDatabase(),
		Advance: func(now time.Time) { clock.now = now; h.play(now.Sub(start), now) }}

	var kept, said []int // rows in osqueryd's database, and lines of results, in each part
	at := start
	for part := range restarts + 1 {
		before := bytes.Count(results.Bytes(), []byte("\n"))
		until := start.Add(time.Duration(part+1) * hours * time.Hour / (restarts + 1)).Truncate(time.Second)
		require.NoError(t, schedule.New(config).Run(t.Context(), at, until))
		at = until.Add(time.Second)
		kept = append(kept, config.Database.Rows())
		said = append(said, bytes.Count(results.Bytes(), []byte("\n"))-before)
		switch part % 4 {
		case 1:
			config.Database = schedule.NewDatabase()
		case 3:
			config.Epoch++
		}
	}
	t.Logf("rows kept by part %v, lines of results by part %v, %d bytes of results, %d of snapshots", kept, said, results.Len(), snapshots.Len())

	s := newSQLite(t, at.Unix()).(*sqlite)
	dir := room(t)
	s.load(t, write(t, filepath.Join(dir, "osqueryd.results.log"), results.String()))
	s.load(t, write(t, filepath.Join(dir, "osqueryd.snapshots.log"), snapshots.String()))
	require.Zero(t, s.Stats().Duplicates, "nothing is said twice")

	var cases []string
	for _, row := range s.query(t, `SELECT CASE WHEN signature LIKE '%gone%' THEN 'gone' WHEN signature LIKE '%late%' THEN 'late' WHEN signature LIKE '%implant%' THEN 'implant'
  WHEN signature LIKE '%poller%' THEN 'poller' ELSE 'agent' END, state, count(*), max(queries) > 0 FROM beacon_cases GROUP BY 1, 2 ORDER BY 1`) {
		cases = append(cases, strings.Join(row[:3], " "))
	}
	require.Equal(t, []string{"agent open 1", "gone closed 1", "implant open 1", "late open 1", "poller open 1"}, cases, "each beacon is one case, to its end")

	// A dump says once what there is. Where osqueryd kept its database only what is new is said.
	news := 0
	for part := 1; part <= restarts; part++ {
		require.LessOrEqual(t, kept[part], 2*len(h.programs)+1, "osqueryd remembers no more than there is: two rows of a program, one of the sensor")
		if dumped := part%2 == 0; dumped {
			require.LessOrEqual(t, said[part], kept[part]+3, "part %d", part)
		} else {
			news += said[part]
		}
	}
	require.LessOrEqual(t, news, 2*5, "two beacons open, one of them closes, and each changes once or twice")
}
