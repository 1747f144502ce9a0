package pack

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// compiled stands for a database that knows one table, two of whose columns are path and pid.
func compiled(sql string) ([]string, error) {
	if strings.Contains(sql, "nowhere") {
		return nil, errors.New("does not compile: no such table: nowhere")
	}
	return []string{"path", "pid"}, nil
}

// planted is a mistake in a file that has none otherwise, and the sentence that names it.
type planted struct{ name, old, new, want string }

func find(t *testing.T, file, text string, check func(string, []byte, Prepare) error, mistakes []planted) {
	t.Helper()
	require.NoError(t, check(file, []byte(text), compiled))
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			require.Contains(t, text, m.old)
			err := check(file, []byte(strings.Replace(text, m.old, m.new, 1)), compiled)
			require.Error(t, err)
			require.Equal(t, file+": "+m.want, err.Error())
		})
	}
}

const goodPack = `{
  "platform": "linux,darwin",
  "version": "5.0.0",
  "shard": 50,
  "discovery": ["SELECT pid FROM processes"],
  "queries": {
    "one": {"query": "SELECT path, pid FROM processes;", "interval": 300, "removed": false, "denylist": false, "description": "d"},
    "two": {"query": "SELECT 1", "interval": 604800, "snapshot": true, "platform": "posix", "shard": 1, "version": "4.9", "value": "v"}
  }
}`

func TestPlantedErrorsInOsqueryPacks(t *testing.T) {
	find(t, "p.conf", goodPack, CheckOsquery, []planted{
		{"a comment", `"shard": 50,`, `"shard": 50, // half`, "line 4: not strict JSON: invalid character '/' looking for beginning of object key string"},
		{"a trailing comma", `"value": "v"}`, `"value": "v"},`, "line 9: not strict JSON: invalid character '}' looking for beginning of object key string"},
		{"a key twice", `"shard": 50,`, `"shard": 50, "shard": 60,`, `line 4: not strict JSON: the key "shard" is there twice`},
		{"text after the end", "  }\n}", "  }\n}{}", "line 10: not strict JSON: there is more after the JSON value"},
		{"a cut file", "  }\n}", "  }", "line 9: not strict JSON: unexpected EOF"},
		{"no queries", `"queries"`, `"querys"`, `unknown key "querys"; keys are discovery, oncall, platform, queries, shard, version` + "\n" +
			`p.conf: the key "queries" is missing`},
		{"an unknown platform", "linux,darwin", "linux,ubuntu", `platform: the word "ubuntu" is not one of darwin, freebsd, linux, posix, windows, any, all`},
		{"a version that is none", "5.0.0", "latest", `version: is "latest", not a version such as 5.10.0`},
		{"a shard of more than all", `"shard": 50`, `"shard": 101`, "shard: is 101, not a whole number of percent from 1 to 100"},
		{"discovery that is no list", `["SELECT pid FROM processes"]`, `"SELECT pid FROM processes"`, `discovery: is "SELECT pid FROM processes", not a list`},
		{"discovery that does not compile", "pid FROM processes\"]", "pid FROM nowhere\"]", "discovery[0]: does not compile: no such table: nowhere"},
		{"a name with a space", `"one"`, `"query one"`, `queries: the name "query one" is not letters, digits, dots, _ and - (at most 128)`},
		{"SQL that does not compile", "path, pid FROM processes", "path FROM nowhere", "queries.one.query: does not compile: no such table: nowhere"},
		{"SQL that writes", "SELECT path, pid FROM processes;", "DELETE FROM processes;", `queries.one.query: a statement begins with SELECT or WITH, not with "DELETE"`},
		{"two statements", "processes;", "processes; SELECT 2;", `queries.one.query: there is more after the first statement: "SELECT 2"`},
		{"an interval above the limit", "604800", "604801", "queries.two.interval: is 604801, not a whole number of seconds from 1 to 604800"},
		{"an interval of zero", `"interval": 300`, `"interval": 0`, "queries.one.interval: is 0, not a whole number of seconds from 1 to 604800"},
		{"an interval in a string", `"interval": 300`, `"interval": "300"`, `queries.one.interval: is "300", not a whole number of seconds from 1 to 604800`},
		{"no interval", `"interval": 300, `, ``, `queries.one: the key "interval" is missing`},
		{"a flag in a string", `"denylist": false`, `"denylist": "false"`, `queries.one.denylist: is "false", not true or false`},
		{"snapshot as a number", `"snapshot": true`, `"snapshot": 1`, "queries.two.snapshot: is 1, not true or false"},
		{"removed beside snapshot", `"snapshot": true`, `"snapshot": true, "removed": true`,
			"queries.two: removed has no meaning beside snapshot: a snapshot has no removed rows"},
		{"a key of Fleet", `"value": "v"`, `"logging": "v"`, `queries.two: unknown key "logging"; keys are blacklist, denylist, description, interval, ` +
			`platform, query, removed, shard, snapshot, value, version`},
		{"a query that is a string", `{"query": "SELECT 1", "interval": 604800, "snapshot": true, "platform": "posix", "shard": 1, "version": "4.9", "value": "v"}`,
			`"SELECT 1"`, `queries.two: is "SELECT 1", not an object`},
	})
	require.EqualError(t, CheckOsquery("p.conf", []byte(strings.Repeat(" ", MaxConfig)+"{}"), nil),
		"p.conf: 1048578 bytes are more than the 1048576 that osquery reads of a configuration")
	require.EqualError(t, CheckOsquery("p.conf", []byte(`{"queries": {}}`), nil), "p.conf: queries: there is none")
	require.EqualError(t, CheckOsquery("p.conf", []byte(`[]`), nil), "p.conf: is a list, not an object")
	require.ErrorContains(t, CheckOsquery("p.conf", []byte(strings.Repeat("[", 1000)), nil), "nested deeper than 100")
}

const goodReports = `- name: one
  description: first
  query: SELECT path, pid FROM processes;
  interval: 300
  platform: linux,darwin
  min_osquery_version: 5.0.0
  logging: differential
  automations_enabled: true
  observer_can_run: false
  labels_include_any:
  - servers
- name: two
  query: SELECT 1
  interval: 3600
  logging: snapshot
  discard_data: true
`

func TestPlantedErrorsInFleetReports(t *testing.T) {
	const keys = "automations_enabled, description, discard_data, fleet, fleet_id, interval, labels_include_all, labels_include_any, logging, " +
		"min_osquery_version, name, observer_can_run, platform, query, team, team_id"
	find(t, "r.yml", goodReports, CheckFleetReports, []planted{
		{"an unknown key", "discard_data", "discard", `two: unknown key "discard"; keys are ` + keys},
		{"osquery's key", "logging: snapshot", "snapshot: true", `two: unknown key "snapshot"; keys are ` + keys},
		{"a logging that Fleet has not", "logging: snapshot", "logging: diff", `two.logging: is "diff", not snapshot or differential or differential_ignore_removals`},
		{"a platform of osquery", "linux,darwin", "posix", `one.platform: the word "posix" is not one of darwin, windows, linux, chrome`},
		{"platforms in a list", "platform: linux,darwin", "platform: [linux]",
			"one.platform: is a list, not words of darwin, windows, linux, chrome in one string, comma-separated"},
		{"a name twice", "name: two", "name: one", "one: the name is there twice"},
		{"a name beyond ASCII", "name: two", "name: zwölf", `zwölf.name: is "zwölf", not a name in ASCII`},
		{"no name", "- name: two\n  query", "- query", `item 2: the key "name" is missing`},
		{"no SQL", "  query: SELECT 1\n", "", `two: the key "query" is missing`},
		{"SQL that does not compile", "SELECT 1", "SELECT 1 FROM nowhere", "two.query: does not compile: no such table: nowhere"},
		{"an interval above osquery's limit", "interval: 3600", "interval: 700000", "two.interval: is 700000, not a whole number of seconds from 0 to 604800"},
		{"an interval in words", "interval: 3600", "interval: 1h", `two.interval: is "1h", not a whole number of seconds from 0 to 604800`},
		{"a version that is none", "5.0.0", "five", `one.min_osquery_version: is "five", not a version such as 5.10.0`},
		{"a flag that is text", "observer_can_run: false", "observer_can_run: never", `one.observer_can_run: is "never", not true or false`},
		{"results that go nowhere", "automations_enabled: true", "automations_enabled: false",
			"one: differential results go to the log destination only, and automations_enabled is not true"},
		{"a fleet within the file", "interval: 3600", "interval: 3600\n  team: Servers", "two.team: does not belong here: the file an item stands in decides its fleet"},
		{"a label that is no list", "labels_include_any:\n  - servers", "labels_include_any: servers", `one.labels_include_any: is "servers", not a list`},
		{"labels that exclude each other", "  - servers", "  - servers\n  labels_include_all: [linux]",
			"one: labels_include_any and labels_include_all exclude each other"},
		{"a variable", "SELECT 1", "SELECT '$HOME'", "line 13: fleetctl replaces what follows $ by a variable of its environment; leave $ out"},
		{"a map instead of a list", "- name: one\n  description: first\n", "reports: 1\n", "not YAML: [1:10] mapping value is not allowed in this context"},
	})
}

const goodPolicies = `- name: "ours: running"
  description: d
  resolution: restart
  query: SELECT 1
  platform: linux
  critical: false
- name: other
  query: SELECT 1 FROM processes
`

func TestPlantedErrorsInFleetPolicies(t *testing.T) {
	find(t, "p.yml", goodPolicies, CheckFleetPolicies, []planted{
		{"a key of reports", "critical: false", "interval: 300", `ours: running: unknown key "interval"; keys are calendar_events_enabled, ` +
			`conditional_access_enabled, critical, description, fleet, fleet_id, install_software, labels_exclude_any, labels_include_all, ` +
			`labels_include_any, name, platform, query, resolution, run_script, team, team_id`},
		{"a flag that is text", "critical: false", "critical: low", `ours: running.critical: is "low", not true or false`},
		{"no SQL", "  query: SELECT 1 FROM processes\n", "", `other: the key "query" is missing`},
		{"a platform that Fleet has not", "platform: linux", "platform: all", `ours: running.platform: the word "all" is not one of darwin, windows, linux, chrome`},
		{"a name twice", "name: other", `name: "ours: running"`, "ours: running: the name is there twice"},
		{"an empty name", "name: other", `name: ""`, `name: is "", not a name`},
	})
}

func TestPlantedErrorsInFleetFiles(t *testing.T) {
	for _, older := range []bool{false, true} {
		text, err := FleetFile(older)
		require.NoError(t, err)
		require.NoError(t, CheckFleetFile("f.yml", text, older))
		require.Error(t, CheckFleetFile("f.yml", text, !older), "the key names of one version fail in the other")
	}
	text, err := FleetFile(false)
	require.NoError(t, err)
	check := func(file string, text []byte, _ Prepare) error { return CheckFleetFile(file, text, false) }
	find(t, "f.yml", string(text), check, []planted{
		{"an older key", "reports:", "queries:", `unknown key "queries"; keys are agent_options, controls, name, policies, reports, settings, software` +
			"\nf.yml: the key \"reports\" is missing"},
		{"no policies", "policies:\n- path: ../lib/beaconwatch.policies.yml\n", "", `the key "policies" is missing`},
		{"no secrets", "  secrets:\n  - secret: $BEACONWATCH_ENROLL_SECRET\n", "  features: {}\n", `settings: the key "secrets" is missing`},
		{"a path that is none", "- path: ../lib/beaconwatch.reports.yml", "- file: x", `reports[0]: unknown key "file"; keys are path` +
			"\nf.yml: reports[0]: the key \"path\" is missing"},
		{"two documents", "software: null\n", "software: null\n---\nname: b\n", "there is more than one YAML document"},
	})
}

const goodElastic = `{"name": "beacon-x", "description": "d", "enabled": true, "policy_ids": [], "shards": {"p": 50}, "schedule_type": "interval", "interval": 300,
 "queries": {"one": {"query": "SELECT path, pid FROM processes;", "schedule_type": "interval", "interval": 300, "timeout": 60, "platform": "linux",
  "snapshot": false, "removed": true, "ecs_mapping": {"process.pid": {"field": "pid"}, "event.kind": {"value": "alert"}, "tags": {"value": ["a"]}}}}}`

func TestPlantedErrorsInElasticPacks(t *testing.T) {
	find(t, "e.json", goodElastic, CheckElastic, []planted{
		{"a column the query has not", `"field": "pid"`, `"field": "ppid"`, `queries.one.ecs_mapping.process.pid: the query has no column "ppid"`},
		{"a field that is none", `"process.pid"`, `"pid"`, "queries.one.ecs_mapping.pid: is no name of an ECS field, such as process.pid"},
		{"a field and a value", `{"field": "pid"}`, `{"field": "pid", "value": "1"}`, "queries.one.ecs_mapping.process.pid: has either a field or a value"},
		{"neither", `{"value": "alert"}`, `{}`, "queries.one.ecs_mapping.event.kind: has either a field or a value"},
		{"a bare column", `{"field": "pid"}`, `"pid"`, `queries.one.ecs_mapping.process.pid: is "pid", not an object` +
			"\ne.json: queries.one.ecs_mapping.process.pid: has either a field or a value"},
		{"a time-out below the least", `"timeout": 60`, `"timeout": 10`, "queries.one.timeout: is 10, not a whole number of seconds from 60 to 86400"},
		{"a platform of osquery", `"platform": "linux"`, `"platform": "posix"`, `queries.one.platform: the word "posix" is not one of linux, darwin, windows`},
		{"an id with a dot", `"one"`, `"one.two"`, `queries: the name "one.two" is not letters, digits, _ and -`},
		{"a shard of nobody", `"p": 50`, `"p": 0`, "shards.p: is 0, not a whole number of percent from 1 to 100"},
		{"schedules that differ", `"schedule_type": "interval", "interval": 300,` + "\n", "\n",
			`queries.one: schedule_type is "interval", that of the pack is null: Kibana refuses or drops the interval of such a query`},
		{"no name", `"name": "beacon-x", `, "", `the key "name" is missing`},
		{"osquery's denylist", `"removed": true`, `"denylist": true`, `queries.one: unknown key "denylist"; keys are ecs_mapping, interval, platform, ` +
			`query, removed, saved_query_id, schedule_type, snapshot, timeout, version`},
	})
}

func FuzzChecks(f *testing.F) {
	for _, text := range []string{goodPack, goodReports, goodPolicies, goodElastic} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, check := range []func(string, []byte, Prepare) error{CheckOsquery, CheckFleetReports, CheckFleetPolicies, CheckElastic,
			func(file string, text []byte, _ Prepare) error { return CheckFleetFile(file, text, false) }} {
			if err := check("f", text, compiled); err != nil {
				for line := range strings.SplitSeq(err.Error(), "\nf: ") {
					require.NotEmpty(t, strings.TrimPrefix(line, "f: "))
				}
			}
		}
	})
}
