package pack

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost/standin"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// TestEveryQueryRuns runs every shipped query over the extension protocol, on a sensor that has seen something of everything.
func TestEveryQueryRuns(t *testing.T) {
	s := scene.New(t)
	s.Play(scene.Implant(), scene.Exfiltration(), scene.Rotation(), scene.OneShots(), scene.Unattributed())
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, s.Deps())
	for _, name := range slices.Sorted(maps.Keys(shipped(t))) {
		columns, _, err := o.Query(t.Context(), shipped(t)[name].SQL)
		require.NoError(t, err, name)
		require.NotEmpty(t, columns, name)
	}
}

func TestNothingIsSaidWhenAllIsWell(t *testing.T) {
	s := scene.New(t)
	s.Play(scene.Flow{Program: process.Program{Path: "/usr/bin/browser"}, PID: 10, To: []string{"198.51.100.3:443"}, Every: 7 * time.Second, Bytes: 500, Count: 4}, scene.Agent())
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, s.Deps())
	agent := scene.Ask(t, o, "SELECT expected, score FROM beacon_candidates WHERE path = '/usr/sbin/agent'")
	require.Len(t, agent, 1, "an expected beacon is there, and no alert")
	require.Equal(t, "1", agent[0]["expected"])
	for name, q := range shipped(t) {
		if q.Pack == pack.Detection {
			require.Empty(t, run(t, o, name), name)
		}
		if q.Pack == pack.Policy {
			require.Len(t, run(t, o, name), 1, name)
		}
	}
}

// signatures are the programs and destinations that a query names.
func signatures(rows []map[string]string) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r["signature"])
	}
	slices.Sort(all)
	return all
}

func TestDetectionsFindWhatTheyAreFor(t *testing.T) {
	s := scene.New(t)
	s.Play(scene.Implant(), scene.Exfiltration(), scene.Rotation(), scene.OneShots(), scene.Unattributed(),
		scene.Agent(), scene.AgentElsewhere(), scene.AgentFaster())
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, s.Deps())
	const (
		agentElsewhere  = "/usr/sbin/agent tcp://198.51.100.66:443"
		agentFaster     = "/usr/sbin/agent tcp://203.0.113.6:443"
		theImplant      = "/tmp/.x/implant tcp://198.51.100.7:443"
		theExfiltration = "/opt/upload tcp://198.51.100.8:443"
		theRotation     = "/usr/local/bin/rotor *"
		theJob          = "/usr/bin/python3 /opt/jobs/report.py tcp://198.51.100.9:8443"
		theNobody       = "[unattributed] tcp://198.51.100.10:53"
	)
	require.Equal(t, []string{theExfiltration, theImplant, theJob, theRotation, agentElsewhere, agentFaster, theNobody},
		signatures(run(t, o, "beacon_alert")))
	require.Equal(t, []string{theExfiltration}, signatures(run(t, o, "beacon_chunked_exfiltration")))
	require.Equal(t, []string{theRotation}, signatures(run(t, o, "beacon_destination_rotation")))
	require.Equal(t, []string{agentElsewhere, agentFaster}, signatures(run(t, o, "beacon_expected_changed")))
	require.Equal(t, []string{theNobody}, signatures(run(t, o, "beacon_unattributed")))
	require.Equal(t, []string{theJob}, signatures(run(t, o, "beacon_short_lived")))

	var newcomers []string
	for _, r := range run(t, o, "beacon_network_newcomers") {
		newcomers = append(newcomers, r["path"])
	}
	require.ElementsMatch(t, []string{"/tmp/.x/implant", "/opt/upload", "/usr/local/bin/rotor", "/usr/bin/python3", ""}, newcomers)
	baseline := run(t, o, "beacon_network_baseline")
	require.Len(t, baseline, 6)
	for _, r := range baseline {
		if r["path"] == "/usr/sbin/agent" {
			require.Equal(t, "1", r["network_facing"])
			require.Equal(t, "3", r["destinations"])
		}
	}

	alert := run(t, o, "beacon_alert")
	for _, r := range alert {
		require.Len(t, r["alert_id"], 64)
		if r["signature"] == theImplant {
			require.Equal(t, "1m", r["interval_class"])
			require.Equal(t, "256B", r["size_class"])
			require.Contains(t, r["reason_codes"], "above_threshold")
			require.Equal(t, "0", r["expected"])
			require.NotEqual(t, "info", r["severity"])
		}
	}
}

func TestAnAlertEndsADayAfterTheLastBeat(t *testing.T) {
	s := scene.New(t)
	past := scene.Implant()
	past.Until = time.Now().Add(-25 * time.Hour)
	slow := scene.Exfiltration()
	slow.Every, slow.Until = 12*time.Hour, time.Now().Add(-25*time.Hour) // still within three of its intervals
	s.Play(past, slow)
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, s.Deps())
	require.Equal(t, []string{"/opt/upload tcp://198.51.100.8:443"}, signatures(run(t, o, "beacon_alert")))
}

func TestAStoppedSensorIsToldByOsquerysOwnTables(t *testing.T) {
	s := scene.New(t)
	o := scene.NewOsqueryd(t, nil)
	end := o.Extend(t, s.Deps())
	require.Empty(t, run(t, o, "beacon_sensor_stopped"))
	require.Len(t, run(t, o, "beacon_policy_running"), 1)
	end()
	require.Eventually(t, func() bool { return len(run(t, o, "beacon_sensor_stopped")) == 1 }, scene.Patience, 20*time.Millisecond)
	require.Empty(t, run(t, o, "beacon_policy_running"), "a policy fails by returning nothing")
	_, _, err := o.Query(t.Context(), shipped(t)["beacon_alert"].SQL)
	require.ErrorContains(t, err, "no such table", "every other query fails, which only osqueryd's own log tells")
}

func TestTamperingIsTold(t *testing.T) {
	s := scene.New(t)
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, s.Deps())
	require.Empty(t, run(t, o, "beacon_sensor_tampering"))

	s.Config = `{"level":"L0"}`
	require.Equal(t, []map[string]string{{"finding": "capped", "detail": "the configuration lets it look no deeper than L0"}},
		run(t, o, "beacon_sensor_tampering"))
	s.Config = `{"level":"L3"}`
	s.Lose(errDetached{})
	s.AwaitLevel(t, "proc")
	findings := map[string]string{}
	for _, r := range run(t, o, "beacon_sensor_tampering") {
		findings[r["finding"]] = r["detail"]
	}
	require.Equal(t, map[string]string{"source_lost": "tcp by ebpf ended: programs are detached",
		"level": "proc: programs are detached"}, findings)
	require.Empty(t, run(t, o, "beacon_policy_healthy"))

	flood := scene.Flow{Program: process.Program{Path: "/usr/bin/nmap"}, PID: 4000, Every: time.Millisecond, Bytes: 1, Count: 12_000}
	for i := range 12_000 {
		flood.To = append(flood.To, "10.1."+strconv.Itoa(i/250)+"."+strconv.Itoa(1+i%250)+":80")
	}
	s.Play(flood)
	rows := run(t, o, "beacon_sensor_tampering")
	require.Len(t, rows, 3)
	require.Equal(t, "evictions", rows[2]["finding"])
	require.Equal(t, "at least 1000 pairs forgotten", rows[2]["detail"])

	gaveWay := func(exhausted time.Duration) string {
		s.Exhausted = exhausted
		rows := run(t, o, "beacon_sensor_tampering")
		if len(rows) == 3 {
			return ""
		}
		require.Len(t, rows, 4)
		require.Equal(t, "gave_way", rows[3]["finding"])
		return rows[3]["detail"]
	}
	require.Empty(t, gaveWay(9*time.Second), "now and then")
	for seconds, want := range map[int]string{10: "10", 99: "10", 100: "100", 5000: "1000"} {
		require.Equal(t, "at least "+want+" s in which everything gave way as far as it can", gaveWay(time.Duration(seconds)*time.Second))
	}
}

type errDetached struct{}

func (errDetached) Error() string { return "programs are detached" }

// TestJoinsAnswerTheNextQuestion fills osquery's tables for one process that still runs and one that has ended.
func TestJoinsAnswerTheNextQuestion(t *testing.T) {
	s := scene.New(t)
	s.Running[700] = process.Info{ID: process.ID{PID: 700, StartTicks: 1}, Name: "implant", SystemdUnit: "evil.service"}
	s.Running[2039] = process.Info{ID: process.ID{PID: 2039, StartTicks: 1}, Name: "report.py"}
	s.Play(scene.Implant(), scene.Exfiltration(), scene.OneShots())
	calls := map[string]int{}
	rows := map[string]standin.Rows{}
	for name, all := range map[string][]map[string]string{
		"processes": {{"pid": "700", "path": "/tmp/.x/implant", "on_disk": "0", "cwd": "/tmp/.x", "state": "S", "threads": "3"},
			{"pid": "800", "path": "/usr/bin/another", "on_disk": "1"}}, // the number was used again
		"hash":  {{"path": "/tmp/.x/implant", "sha256": "ab", "md5": "cd"}},
		"users": {{"uid": "1000", "username": "eve", "shell": "/bin/sh", "directory": "/home/eve"}, {"uid": "33", "username": "www-data"}},
		"listening_ports": {{"pid": "700", "port": "4444", "address": "0.0.0.0"}, {"pid": "700", "port": "4445", "address": "::"},
			{"pid": "700", "port": "0", "path": "/run/x"}, {"pid": "1", "port": "22", "address": "0.0.0.0"}},
		"crontab": {{"minute": "*/2", "hour": "*", "day_of_month": "*", "month": "*", "day_of_week": "*", "path": "/etc/cron.d/report",
			"command": "root /usr/bin/python3 /opt/jobs/report.py --daily"}, {"command": "/usr/bin/apt update", "path": "/etc/crontab"}},
		"systemd_units": {{"id": "evil.service", "fragment_path": "/etc/systemd/system/evil.service", "active_state": "active"}},
	} {
		rows[name] = func(equals map[string]string) []map[string]string {
			calls[name]++
			return slices.DeleteFunc(slices.Clone(all), func(r map[string]string) bool {
				for column, value := range equals {
					if r[column] != value {
						return true
					}
				}
				return false
			})
		}
	}
	o := scene.NewOsqueryd(t, rows)
	o.Extend(t, s.Deps())

	found := map[string]map[string]string{}
	for _, r := range run(t, o, "beacon_candidate_process") {
		found[r["path"]] = r
	}
	require.Len(t, found, 3, "a process that has ended keeps its row")
	running := found["/tmp/.x/implant"]
	for column, want := range map[string]string{"running": "1", "on_disk": "0", "cwd": "/tmp/.x", "threads": "3", "file_sha256": "ab", "file_md5": "cd",
		"username": "eve", "home": "/home/eve", "remote_address": "198.51.100.7"} {
		require.Equal(t, want, running[column], column)
	}
	listening := strings.Split(running["listening"], ",")
	slices.Sort(listening)
	require.Equal(t, []string{"0.0.0.0:4444", ":::4445"}, listening)
	ended := found["/opt/upload"]
	for column, want := range map[string]string{"running": "0", "on_disk": "", "file_sha256": "", "username": "www-data", "listening": ""} {
		require.Equal(t, want, ended[column], column)
	}
	require.Equal(t, 1, calls["listening_ports"], "osquery walks every descriptor for it: once a query")
	require.LessOrEqual(t, calls["processes"], 3, "by pid, once for each row")
	require.LessOrEqual(t, calls["hash"], 3)

	jobs := run(t, o, "beacon_short_lived")
	require.Len(t, jobs, 1)
	require.Equal(t, "/etc/cron.d/report: */2 * * * * root /usr/bin/python3 /opt/jobs/report.py --daily", jobs[0]["crontab_lines"])
	require.Equal(t, 1, calls["crontab"])
	require.Equal(t, 1, calls["systemd_units"])
}

func TestSnapshotsAndHealth(t *testing.T) {
	s := scene.New(t)
	s.Play(scene.Implant(), scene.Exfiltration(), scene.Flow{Program: process.Program{Path: "/usr/bin/local"}, PID: 5, To: []string{"127.0.0.1:80"},
		Every: time.Second, Bytes: 9 << 20, Count: 50})
	o := scene.NewOsqueryd(t, nil)
	o.Extend(t, s.Deps())
	stats := run(t, o, "beacon_outbound_stats")
	require.Len(t, stats, 2, "loopback is left out")
	require.Equal(t, "/opt/upload", stats[0]["path"], "the most bytes first")
	candidates := run(t, o, "beacon_candidates")
	require.Len(t, candidates, 2)
	require.Equal(t, "web server", candidates[0]["role"])
	health := run(t, o, "beacon_sensor_health")
	require.Len(t, health, 1)
	require.Equal(t, "L3", health[0]["level"])
	require.NotEmpty(t, health[0]["watching_s"])
	require.Len(t, run(t, o, "beacon_sensor_coverage"), 2)
	drift := run(t, o, "beacon_inventory_drift")
	require.Len(t, drift, 1)
	require.Equal(t, "c0ffee", drift[0]["config_hash"])
	require.Len(t, drift[0]["inventory_hash"], 64)
	require.Equal(t, "2", drift[0]["rules"])
}
