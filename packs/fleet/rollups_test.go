package fleet_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	packs "github.com/beaconwatch/beaconwatch/packs/fleet"
)

// midnight is where the days of the tests begin, 2026-11-08.
const midnight = 1_794_096_000

// logs collects lines; times are seconds after midnight.
type logs struct{ strings.Builder }

func (l *logs) event(host, query string, at, epoch, counter int, action, columns string) {
	fmt.Fprintf(l, `{"name":"pack_p_%s","hostIdentifier":"%s","unixTime":%d,"epoch":%d,"counter":%d,"columns":{%s},"action":"%s"}`+"\n",
		query, host, midnight+at, epoch, counter, columns, action)
}

func (l *logs) snapshot(host, query string, at int, rows ...string) {
	for i, row := range rows {
		rows[i] = "{" + row + "}"
	}
	fmt.Fprintf(l, `{"snapshot":[%s],"action":"snapshot","name":"pack_p_%s","hostIdentifier":"%s","unixTime":%d,"epoch":0,"counter":0}`+"\n",
		strings.Join(rows, ","), query, host, midnight+at)
}

// answer runs a rollup over the lines and picks columns.
func (l *logs) answer(t *testing.T, rollup string, now int, assets, columns string) []string {
	t.Helper()
	text, err := packs.Rollups.ReadFile(rollup + ".sql")
	require.NoError(t, err)
	// the inner order is kept by SQLite, and the tests would notice
	return l.ask(t, now, assets, "SELECT "+columns+" FROM ("+string(text)+")")
}

func (l *logs) ask(t *testing.T, now int, assets, sql string) []string {
	t.Helper()
	s, err := fleet.Open(t.Context(), fleet.Config{Now: midnight + int64(now), Views: packs.Cases})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Load(t.Context(), "-", strings.NewReader(l.String())))
	require.Empty(t, s.Stats().BadLines)
	if assets != "" {
		require.NoError(t, s.LoadAssets(t.Context(), "-", strings.NewReader(assets)))
	}
	_, rows, err := s.Query(t.Context(), sql)
	require.NoError(t, err)
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, " | "))
	}
	return lines
}

// cases returns the cases with their times since midnight.
func (l *logs) cases(t *testing.T) []string {
	t.Helper()
	return l.ask(t, 20_000, "", `SELECT state, severity, host, signature, strftime('%s', opened) - 1794096000, strftime('%s', updated) - 1794096000,
  strftime('%s', closed) - 1794096000, closed_by, queries FROM beacon_cases c ORDER BY state DESC, c.opened, host, signature`)
}

func TestAlertsOpenUpdateAndClose(t *testing.T) {
	var l logs
	row := func(signature, severity string) string {
		return `"signature":"` + signature + `","severity":"` + severity + `"`
	}
	// opened, graded higher, closed; found by a second query as well
	l.event("a", "alert", 100, 0, 0, "added", row("s1", "low"))
	l.event("a", "alert", 400, 0, 1, "removed", row("s1", "low"))
	l.event("a", "alert", 400, 0, 1, "added", row("s1", "high"))
	l.event("a", "chunked", 500, 0, 0, "added", row("s1", "medium"))
	l.event("a", "alert", 900, 0, 2, "removed", row("s1", "high"))
	l.event("a", "chunked", 950, 0, 1, "removed", row("s1", "medium"))
	// two rows under one signature, one of them gone
	l.event("a", "alert", 200, 0, 1, "added", row("s2", "low")+`,"expected":"0"`)
	l.event("a", "alert", 200, 0, 1, "added", row("s2", "low")+`,"expected":"-1"`)
	l.event("a", "alert", 300, 0, 2, "removed", row("s2", "low")+`,"expected":"0"`)
	// closed and opened again: the same case
	l.event("a", "alert", 300, 0, 1, "added", row("s3", "low"))
	l.event("a", "alert", 600, 0, 2, "removed", row("s3", "low"))
	l.event("a", "alert", 900, 0, 3, "added", row("s3", "low"))
	require.Equal(t, []string{
		"open | low | a | s2 | 200 | 300 |  |  | 1",
		"open | low | a | s3 | 300 | 900 |  |  | 1",
		"closed | high | a | s1 | 100 | 950 | 950 | removed | 2",
	}, l.cases(t))
	require.Equal(t, []string{"open | low | a | 2026-11-08 00:03 | 2026-11-08 00:05 | s2", "open | low | a | 2026-11-08 00:05 | 2026-11-08 00:15 | s3",
		"closed | high | a | 2026-11-08 00:01 | 2026-11-08 00:15 | s1"}, l.answer(t, "alerts", 1000, "", "*"))
	require.Contains(t, l.answer(t, "cases", 1000, "", "case_id"), fmt.Sprintf("a/%x", sha256.Sum256([]byte("s2"))))
}

func TestAlertsAcrossRestarts(t *testing.T) {
	var l logs
	row := func(signature string) string { return `"signature":"` + signature + `","severity":"high"` }
	l.event("a", "alert", 100, 0, 0, "added", row("stays"))
	l.event("a", "alert", 100, 0, 0, "added", row("went"))
	// osquery lost its database: everything that is there is added anew, what went is never removed
	l.event("a", "alert", 700, 0, 0, "added", row("stays"))
	// a new epoch is a dump as well, even of something else only
	l.event("b", "alert", 100, 1, 0, "added", row("old epoch"))
	l.event("b", "alert", 800, 2, 0, "added", row("new epoch"))
	// a new text of the query starts counting anew without being a dump
	l.event("c", "alert", 100, 0, 0, "added", row("kept"))
	l.event("c", "alert", 900, 0, 0, "added", row("more"))
	require.Equal(t, []string{
		"open | high | a | stays | 100 | 100 |  |  | 1",
		"open | high | c | kept | 100 | 100 |  |  | 1",
		"open | high | b | new epoch | 800 | 800 |  |  | 1",
		"open | high | c | more | 900 | 900 |  |  | 1",
		"closed | high | a | went | 100 | 700 | 700 | restart | 1",
		"closed | high | b | old epoch | 100 | 800 | 800 | restart | 1",
	}, l.cases(t))
}

func TestAlertsAbsentFromSnapshots(t *testing.T) {
	var l logs
	for _, host := range []string{"a", "b", "c"} {
		l.event(host, "alert", 100, 0, 0, "added", `"signature":"s"`)
		l.snapshot(host, "other", 5000, `"path":"/x"`) // a snapshot that never had it says nothing
	}
	l.snapshot("a", "candidates", 3600, `"signature":"s"`, `"signature":"t"`)
	l.snapshot("a", "candidates", 7200, `"signature":"t"`)
	l.snapshot("a", "candidates", 10800, `"signature":"t"`)
	l.snapshot("b", "candidates", 3600, `"signature":"s"`)
	l.snapshot("b", "candidates", 7200) // an empty one
	l.snapshot("c", "candidates", 3600, `"signature":"s"`)
	require.Equal(t, []string{
		"open | info | c | s | 100 | 100 |  |  | 1",
		"closed | info | a | s | 100 | 7200 | 7200 | absent | 1",
		"closed | info | b | s | 100 | 7200 | 7200 | absent | 1",
	}, l.cases(t))
}

func TestPrevalencePutsTheRareFirst(t *testing.T) {
	var l logs
	candidate := func(path, address, score, expected string) string {
		return fmt.Sprintf(`"signature":"%s %s","path":"%s","script":"","remote_address":"%s","remote_port":"443","score":"%s","severity":"medium","expected":"%s","interval_class":"1m"`,
			path, address, path, address, score, expected)
	}
	for h := range 10 {
		host := fmt.Sprintf("h%d", h)
		l.snapshot(host, "candidates", 60, candidate("/usr/bin/agent", "192.0.2.1", "0.9", "1"))
		l.snapshot(host, "stats", 90, `"path":"/usr/bin/curl","remote_address":"192.0.2.1","remote_port":"443"`)
	}
	l.snapshot("h3", "candidates", 120, candidate("/usr/bin/curl", "203.0.113.9", "0.8", "0"), candidate("/tmp/x", "192.0.2.1", "0.97", "-1"))
	l.event("h4", "alert", 130, 0, 0, "added", `"signature":"/tmp/x 192.0.2.1","severity":"high"`)
	require.Equal(t, []string{
		"1 | 10 | 10 | 1 | medium | 0.8 | /usr/bin/curl 203.0.113.9",
		"2 | 10 | 1 | 10 | high | 0.97 | /tmp/x 192.0.2.1",
		"10 | 10 | 10 | 10 | medium | 0.9 | /usr/bin/agent 192.0.2.1",
	}, l.answer(t, "prevalence", 1000, "", "*"))
}

func TestFirstSeenFollowsTheSpread(t *testing.T) {
	var l logs
	l.event("b", "alert", 500, 0, 0, "added", `"signature":"old"`)
	l.event("a", "alert", 90_000, 0, 0, "added", `"signature":"old"`)
	l.event("c", "alert", 95_000, 0, 0, "added", `"signature":"new"`)
	l.event("c", "alert", 96_000, 0, 1, "removed", `"signature":"new"`)
	l.event("a", "alert", 400, 0, 0, "removed", `"signature":"old"`) // late, and no sighting
	require.Equal(t, []string{
		"2026-11-09 02:23:20 | 2026-11-09 02:23:20 | c | 1 | 1 | new",
		"2026-11-08 00:08:20 | 2026-11-09 01:00:00 | b | 1 | 2 | old",
	}, l.answer(t, "first_seen", 100_000, "", "*"))
}

func TestRolesComeFromTheSensorOrTheList(t *testing.T) {
	var l logs
	for _, host := range []string{"w1", "w2"} {
		l.snapshot(host, "health", 60, `"level":"L3","role":"web"`)
		l.event(host, "alert", 70, 0, 0, "added", `"signature":"poller","severity":"low"`)
	}
	l.event("d1", "alert", 70, 0, 0, "added", `"signature":"poller","severity":"high"`)
	require.Equal(t, []string{
		"db | 2 | 1 | d1 | high |  | poller",
		"web | 2 | 2 | w1 | low |  | poller",
	}, l.answer(t, "roles", 100, "host,role\nd1,db\nd2,db\nw1,mail\n", "*"))
}

func TestSensorHealthNamesEveryState(t *testing.T) {
	var l logs
	const fine = `"level":"L3","version":"1","send_events":"100","unattributed_sends":"3"`
	for _, host := range []string{"fine", "no-registration", "quiet-sensor", "mended"} {
		l.snapshot(host, "health", 40_000, fine)
	}
	l.snapshot("silent", "health", 20_000, fine)
	l.event("no-registration", "stopped", 41_000, 0, 0, "added", `"finding":"stopped","detail":"not registered"`)
	l.event("mended", "stopped", 41_000, 0, 0, "added", `"finding":"stopped","detail":"not registered"`)
	l.event("mended", "stopped", 42_000, 0, 1, "removed", `"finding":"stopped","detail":"not registered"`)
	l.snapshot("quiet-sensor", "health", 20_000, fine)
	l.snapshot("low", "health", 39_000, `"level":"proc","level_reason":"no eBPF","version":"1"`)
	l.snapshot("blind", "health", 39_000, `"level":"L3","version":"1","send_events":"100","unattributed_sends":"51"`)
	l.snapshot("broken", "health", 39_000, `"level":"L3","version":"1","inventory_error":"line 3: no path"`)
	l.snapshot("only-others", "stats", 39_000, `"path":"/x"`)
	require.Equal(t, []string{
		"missing | never | 1 |  | ",
		"silent | silent | 1 | L3 | ",
		"stopped | no-registration | 0 | L3 | stopped: not registered",
		"stopped | only-others | 0 |  | ",
		"degraded | blind | 0 | L3 | more than half of the sends have no process",
		"degraded | broken | 0 | L3 | inventory: line 3: no path",
		"degraded | low | 0 | proc | level proc: no eBPF",
	}, l.answer(t, "sensor_health", 43_000, "never\nsilent\nfine\n", "state, host, listed, level, reason"))
}

func TestCoverageCountsWhatWasExpected(t *testing.T) {
	var l logs
	for hour := range 48 {
		at := hour*3600 + 7
		l.snapshot("full", "health", at, `"level":"L3"`)
		if hour < 10 || hour > 20 {
			l.snapshot("gap", "health", at, `"level":"L3"`)
		}
		if hour < 24 {
			l.snapshot("low", "health", at, fmt.Sprintf(`"level":"%s"`, []string{"L3", "proc"}[hour/23]))
		}
		if hour < 2 {
			l.snapshot("ends", "health", at, `"level":"L3"`)
		}
		if hour > 22 && hour < 46 {
			l.snapshot("begins", "health", at, `"level":"L3"`)
		}
	}
	l.snapshot("unlisted", "health", 5, `"level":"L3"`)
	require.Equal(t, []string{
		"2026-11-09 | begins | full | 22 | 22 | 10793 | L3", // to the end of the day, less than silent_s
		"2026-11-09 | ends | none | 0 | 0 | 86400 | ",
		"2026-11-09 | full | full | 24 | 24 | 3600 | L3",
		"2026-11-09 | gap | full | 24 | 24 | 3600 | L3",
		"2026-11-09 | low | none | 0 | 0 | 86400 | ",
		"2026-11-09 | never | none | 0 | 0 | 86400 | ",
		"2026-11-08 | begins | partial | 1 | 1 | 82807 | L3",
		"2026-11-08 | ends | partial | 2 | 2 | 82793 | L3",
		"2026-11-08 | full | full | 24 | 24 | 3600 | L3",
		"2026-11-08 | gap | partial | 13 | 13 | 43200 | L3",
		"2026-11-08 | low | partial | 24 | 24 | 3600 | L3 to proc",
		"2026-11-08 | never | none | 0 | 0 | 86400 | ",
	}, l.answer(t, "coverage", 172_800, "full\ngap\nlow\nnever\nbegins\nends\n", "day, host, evidence, reports, hours, longest_gap_s, levels"))
	require.Len(t, l.answer(t, "coverage", 172_800, "", "*"), 12, "without a list, those that ever reported")
}

// TestCoverageKnowsNoMoreThanNow: the time that has not been is no gap, on the day of now nobody is late before silent_s.
func TestCoverageKnowsNoMoreThanNow(t *testing.T) {
	var l logs
	for hour := range 5 {
		l.snapshot("a", "health", hour*3600, `"level":"L3"`)
	}
	for now, want := range map[int]string{
		14_400: "full | 3600", 14_400 + 10_800: "full | 10800", 14_400 + 10_801: "partial | 10801", 86_399: "partial | 71999", 86_400: "partial | 72000",
		3600: "full | 3600",
	} {
		require.Equal(t, []string{want}, l.answer(t, "coverage", now, "", "evidence, longest_gap_s"), "now %d s after midnight", now)
	}
}

// TestCoverageListsDaysWithoutALine: those between days with lines, and those that have passed since the last. A line that a wrong clock
// put hundreds of days away makes no others.
func TestCoverageListsDaysWithoutALine(t *testing.T) {
	const day = 86_400
	var l logs
	for _, at := range []int{0, 3 * day, 404 * day, 410 * day, -midnight} {
		l.snapshot("a", "health", at, `"level":"L3"`)
	}
	days := func(now int) (all []string) {
		for _, row := range l.answer(t, "coverage", now, "", "day, evidence, longest_gap_s") {
			all = append(all, strings.TrimSuffix(row, " | none | 86400"))
		}
		return all
	}
	known := []string{
		"2027-12-23 | partial | 518400", "2027-12-22", "2027-12-21", "2027-12-20", "2027-12-19", "2027-12-18", "2027-12-17 | partial | 34646400",
		"2026-11-11 | partial | 259200", "2026-11-10", "2026-11-09", "2026-11-08 | partial | 1794096000", "1970-01-01 | partial | 86400",
	}
	require.Equal(t, known, days(411*day))
	require.Equal(t, append([]string{"2027-12-25", "2027-12-24"}, known...), days(413*day+5), "the day of now has only begun")
	require.Len(t, days(810*day), 12+399)
	require.Equal(t, known, days(811*day), "bounded")
}

func TestInventoryDriftIsAgainstTheRole(t *testing.T) {
	var l logs
	status := func(host string, at int, role, inventory, version, failed string) {
		l.event(host, "drift", at, 0, 0, "added", fmt.Sprintf(`"level":"L3","role":"%s","inventory_hash":"%s","config_hash":"c","version":"%s","inventory_error":"%s"`, role, inventory, version, failed))
	}
	for i, host := range []string{"w1", "w2", "w3"} {
		status(host, 60+i, "web", "0123456789abcdef", "2", "")
	}
	status("w4", 60, "web", "0123456789abcdef", "2", "")
	status("w4", 500, "web", "fedcba9876543210", "2", "")
	status("w5", 60, "web", "0123456789abcdef", "1", "cannot read")
	status("d1", 60, "db", "fedcba9876543210", "2", "")
	require.Equal(t, []string{
		"web | w4 | 1 | 5 | inventory  | fedcba987654 | 2026-11-08 00:08:20 | ",
		"web | w5 | 1 | 5 | version error  | 0123456789ab | 2026-11-08 00:01:00 | cannot read",
	}, l.answer(t, "inventory_drift", 1000, "", "role, host, same, role_hosts, differs, inventory, since, inventory_error"))
}

func TestSynchronisedBeaconsKeepStep(t *testing.T) {
	var l logs
	beat := func(host, address string, at, last int) {
		l.snapshot(host, "candidates", at, fmt.Sprintf(`"signature":"/x %s","remote_address":"%s","remote_port":"443","interval_class":"5m","interval_ms":"300000","last_seen":"%d"`, address, address, midnight+last))
	}
	for h := range 10 {
		host := fmt.Sprintf("h%d", h)
		beat(host, "203.0.113.1", 3600+h, 3300-300*(h%3)+h) // within ten seconds of each other, some beats apart
		beat(host, "203.0.113.2", 3600+h, 3300-29*h)        // all over the interval
	}
	beat("late", "203.0.113.1", 90_000, 3300-5000) // too old to tell
	require.Equal(t, []string{"10 | 10 | 100 | 300000 | 203.0.113.1 | 443 | h0 | /x 203.0.113.1"},
		l.answer(t, "synchronised", 100_000, "", "*"))
}
