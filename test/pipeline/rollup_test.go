package pipeline

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	packs "github.com/beaconwatch/beaconwatch/packs/fleet"
)

func rollups(t testing.TB) []fleet.Rollup {
	t.Helper()
	all, err := fleet.Rollups(packs.Rollups)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// madeUp is a log of hosts that do what hosts do, and some that do not, drawn from a seed: for what the pipeline's own
// hosts are too well-behaved to do.
func madeUp(seed uint64, hosts int, from int64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	line := func(host, query string, at int64, epoch, counter int, columns, action string) {
		fmt.Fprintf(&b, `{"name":"pack_beacon-x_%s","hostIdentifier":"%s","unixTime":%d,"epoch":%d,"counter":%d,"numerics":false,"columns":{%s},"action":"%s"}`+"\n",
			query, host, at, epoch, counter, columns, action)
	}
	// days without a line from anybody, and a clock that is not set yet
	for _, at := range []int64{from - 5*86_400, 5} {
		line("host-97", "beacon_sensor_health", at, 0, 0, `"level":"L3","role":"role-0","coverage_run":"00c0ffee"`, "snapshot")
	}
	for h := range hosts {
		host := fmt.Sprintf("host-%02d", h)
		silentFrom := from + int64(r.IntN(4))*86_400
		for hour := range int64(72) {
			at := from + hour*3600 + int64(r.IntN(300))
			if at > silentFrom && h%5 == 0 {
				break
			}
			level := []string{"L3", "L3", "L2", "proc"}[r.IntN(4)]
			line(host, "beacon_sensor_health", at, 0, 0, fmt.Sprintf(`"level":"%s","role":"role-%d","version":"1.%d","inventory_hash":"%x","config_hash":"c","inventory_error":"%s","send_events":"%d","unattributed_sends":"%d","rules_expired":"%d"`,
				level, h%3, r.IntN(5)/4, r.IntN(10)/9, strings.Repeat("bad", r.IntN(20)/19), r.IntN(100), r.IntN(40), r.IntN(30)/29), "snapshot")
			var rows []string
			for n := range r.IntN(5) {
				rows = append(rows, fmt.Sprintf(`{"signature":"/usr/bin/p%d tcp 192.0.2.%d:443","path":"/usr/bin/p%d","script":"","remote_address":"192.0.2.%d","remote_port":"443","score":"%.2f","severity":"%s","expected":"%d","interval_class":"1m","interval_ms":"%d","last_seen":"%d"}`,
					n, n, n, n, r.Float64(), []string{"info", "low", "medium", "high"}[r.IntN(4)], r.IntN(3)-1, 60_000+r.IntN(50), at-int64(r.IntN(70))))
			}
			fmt.Fprintf(&b, `{"snapshot":[%s],"action":"snapshot","name":"pack/team-3/beacon_candidates","hostIdentifier":"%s","unixTime":%d,"epoch":0,"counter":0}`+"\n",
				strings.Join(rows, ","), host, at)
		}
		epoch, counter := 0, 0
		for n := range 40 {
			if r.IntN(8) == 0 {
				epoch, counter = epoch+r.IntN(2), 0
			}
			line(host, []string{"beacon_alert", "beacon_chunked"}[r.IntN(2)], from+int64(n)*5000+int64(r.IntN(3)), epoch, counter,
				fmt.Sprintf(`"signature":"/usr/bin/p%d tcp 192.0.2.%d:443","severity":"%s"`, n%4, n%4, []string{"low", "high"}[r.IntN(2)]), []string{"added", "added", "removed"}[r.IntN(3)])
			counter++
			line(host, "beacon_sensor_tampering", from+int64(n)*6000, epoch, counter, fmt.Sprintf(`"finding":"%s","detail":"x"`, []string{"level", "stopped"}[r.IntN(10)/9]),
				[]string{"added", "removed", "removed"}[r.IntN(3)])
		}
	}
	return b.String()
}

// TestRollupsAgree runs every rollup on every engine over the same lines, and holds the answers together row for row.
func TestRollupsAgree(t *testing.T) {
	path := write(t, filepath.Join(room(t), "made up.log"), madeUp(7, 20, midnight))
	running := engines(t, midnight+72*3600)
	assets := map[string]string{"host-01": "web", "host-02": "db", "host-98": "web", "host-99": ""}
	for _, listed := range []bool{false, true} {
		for _, e := range running {
			if listed {
				e.list(t, assets)
			} else {
				e.load(t, path)
			}
		}
		for _, r := range rollups(t) {
			t.Run(fmt.Sprintf("%s/listed=%t", r.Name, listed), func(t *testing.T) {
				want := running[0].query(t, r.SQL)
				require.NotEmpty(t, want, "nothing to compare")
				for _, e := range running[1:] {
					require.Equal(t, want, e.query(t, r.SQL), e.name())
				}
			})
		}
	}
}

// TestOrderAndCopiesChangeNothing loads the same lines late, out of order and several times.
func TestOrderAndCopiesChangeNothing(t *testing.T) {
	text := madeUp(3, 20, midnight)
	shuffled := strings.SplitAfter(text, "\n")
	shuffled = append(shuffled, shuffled[:len(shuffled)/2]...)
	rand.New(rand.NewPCG(5, 5)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	const now = midnight + 72*3600
	straight, crooked := newSQLite(t, now), newSQLite(t, now)
	straight.load(t, lines(t, text))
	half := len(shuffled) / 2
	crooked.load(t, lines(t, strings.Join(shuffled[half:], "")))
	crooked.load(t, lines(t, strings.Join(shuffled[:half], "")))
	for _, r := range rollups(t) {
		require.Equal(t, straight.query(t, r.SQL), crooked.query(t, r.SQL), r.Name)
	}
}
