package pipeline

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// length is how long the hosts live. The hosts' longest interval but one is an hour.
const length = 4 * time.Hour

// TestFromHostsToOneAnswer lets fifty hosts live, ships what their osqueryd logged through rsyslog to PostgreSQL and to
// files, loads the files into SQLite and ClickHouse, and asks all of them the same.
func TestFromHostsToOneAnswer(t *testing.T) {
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour)
	end := start.Add(length)
	running := engines(t, end.Unix())
	postgres := running[1].(*postgresql)
	logs := room(t)
	packs := shippedPacks(t)
	assets := map[string]string{"web-98": "web", "db-99": "db"}
	for _, h := range fifty() {
		t.Run(h.name, func(t *testing.T) { h.live(t, packs, start, length, filepath.Join(logs, h.name)) })
		assets[h.name] = h.role
	}
	c := startCollector(t, postgres)
	startHosts(t, c, logs)
	written := linesOf(filepath.Join(logs, "*", "*.log"))
	day := filepath.Join(c.logs, "2*.log")
	require.Eventually(t, func() bool { return len(linesOf(day)) >= len(written) }, 2*time.Minute, 100*time.Millisecond)
	require.True(t, sameLines(written, linesOf(day)), "what was logged is what arrived")
	require.Empty(t, linesOf(filepath.Join(c.logs, "rejected.log")))
	shipped, err := filepath.Glob(day)
	require.NoError(t, err)

	for _, e := range running {
		if e != running[1] {
			for _, path := range shipped {
				e.load(t, path)
			}
		}
		e.list(t, assets)
	}
	const count = "SELECT count(*) FROM beacon_results"
	want := running[0].query(t, count)
	t.Logf("%d lines, %s rows", len(written), want[0][0])
	require.Eventually(t, func() bool { return postgres.query(t, count)[0][0] == want[0][0] }, 2*time.Minute, 100*time.Millisecond, "all of it reaches PostgreSQL")

	for _, r := range rollups(t) {
		t.Run(r.Name, func(t *testing.T) {
			want := running[0].query(t, r.SQL)
			for _, e := range running[1:] {
				require.Equal(t, want, e.query(t, r.SQL), e.name())
			}
			if check := answers()[r.Name]; check != nil {
				check(t, want)
			}
		})
	}
}

// answers check what is known of the hosts, by rollup.
func answers() map[string]func(t *testing.T, rows [][]string) {
	return map[string]func(t *testing.T, rows [][]string){
		"prevalence": func(t *testing.T, rows [][]string) {
			require.Contains(t, rows[0][6], "/tmp/.x/implant")
			require.Equal(t, []string{"3", "50", "3", "3"}, rows[0][:4], "the rare one comes first")
			require.Len(t, rows, 5)
		},
		"alerts": func(t *testing.T, rows [][]string) {
			hosts := map[string]int{}
			for _, row := range rows {
				if strings.Contains(row[5], "implant") {
					hosts[row[2]]++
					require.Equal(t, "open", row[0], row)
				}
			}
			require.Equal(t, map[string]int{"web-07": 1, "web-18": 1, "db-33": 1}, hosts, "one case each, restart or not")
		},
		"sensor_health": func(t *testing.T, rows [][]string) {
			var states []string
			for _, row := range rows {
				states = append(states, strings.Join([]string{row[0], row[1], row[3]}, " "))
			}
			require.Equal(t, []string{"missing db-99 1", "missing web-98 1", "silent web-12 1", "degraded build-40 1"}, states)
		},
		"coverage": func(t *testing.T, rows [][]string) {
			evidence := map[string][]string{}
			for _, row := range rows {
				evidence[row[2]] = append(evidence[row[2]], row[1])
			}
			require.Equal(t, []string{"db-99", "web-98"}, evidence["none"])
			require.Equal(t, []string{"build-40", "web-12"}, evidence["partial"], "one that lost its sight, one that fell silent")
			require.Len(t, evidence["full"], 48)
		},
		"synchronised": func(t *testing.T, rows [][]string) {
			require.Len(t, rows, 1)
			require.Equal(t, []string{"3", "3", "100", "60000", "203.0.113.7", "443"}, rows[0][:6])
		},
		"inventory_drift": func(t *testing.T, rows [][]string) {
			require.Len(t, rows, 1)
			require.Equal(t, []string{"build", "build-45", "1", "10", "configuration "}, rows[0][:5])
		},
		"first_seen": func(t *testing.T, rows [][]string) {
			require.Contains(t, rows[0][5], "/tmp/.x/implant", "the newest comes first")
		},
	}
}
