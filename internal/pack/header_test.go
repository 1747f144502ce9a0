package pack

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const good = `-- Programs that talk. One row each.
--
-- pack: detection
-- attack: AN0597, DET0213, T1053.003
-- references:
--   * https://attack.mitre.org/techniques/T1030/
-- tags: c2, timing
-- platform: linux
-- interval: 300
-- mode: differential
-- removed: false
-- denylist: false
-- false positives:
--   * agents; with a rule
--   * updaters
-- value: It says: who talks.
SELECT path, ';' AS semicolon
FROM beacon_candidates;
`

func TestParse(t *testing.T) {
	q, err := Parse("beacon_test.sql", []byte(good))
	require.NoError(t, err)
	require.Equal(t, Query{
		Name: "beacon_test", Purpose: "Programs that talk. One row each.", Pack: Detection, Attack: []string{"AN0597", "DET0213", "T1053.003"},
		References: []string{"https://attack.mitre.org/techniques/T1030/"}, Tags: []string{"c2", "timing"}, Platform: "linux",
		Interval: 300, FalsePositives: []string{"agents; with a rule", "updaters"}, Value: "It says: who talks.",
		SQL: "SELECT path, ';' AS semicolon\nFROM beacon_candidates",
	}, q)
	require.Equal(t, "Programs that talk", q.Title())
	require.Equal(t, []string{"T1053.003"}, q.Techniques())
}

func TestMistakesInHeadersAreNamed(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"unknown pack", "pack: detection", "pack: misc", `q_1.sql:3: pack is "misc", not detection or hunting or health or policy`},
		{"no pack", "-- pack: detection\n", "", "q_1.sql:1: the header has no pack"},
		{"unknown field", "-- tags:", "-- labels:", `q_1.sql:7: "labels" is no field; fields are pack, attack,`},
		{"a field twice", "-- tags: c2, timing", "-- pack: hunting\n-- tags: c2", "q_1.sql:7: pack is said twice, first in line 3"},
		{"an id that ATT&CK has not", "T1053.003", "T99", `q_1.sql:4: "T99" is no id of ATT&CK`},
		{"a reference that is no link", "https://attack.mitre.org/techniques/T1030/", "see the wiki", `q_1.sql:5: "see the wiki" is no https address`},
		{"an empty tag", "c2, timing", "c2,, timing", "q_1.sql:7: tags has an empty item"},
		{"another platform", "platform: linux", "platform: darwin", `q_1.sql:8: platform is "darwin", not linux`},
		{"an interval osquery refuses", "interval: 300", "interval: 604801", `q_1.sql:9: interval is "604801", not 1 to 604800 seconds`},
		{"an interval in words", "interval: 300", "interval: hourly", `q_1.sql:9: interval is "hourly", not 1 to 604800 seconds`},
		{"an unknown mode", "mode: differential", "mode: diff", `q_1.sql:10: mode is "diff", not differential or snapshot`},
		{"removed rows of a snapshot", "mode: differential", "mode: snapshot", "q_1.sql:11: removed does not belong here: a snapshot has no removed rows"},
		{"a flag that is no flag", "denylist: false", "denylist: no", `q_1.sql:12: denylist is "no", not true or false`},
		{"no false positives", "--   * agents; with a rule\n--   * updaters\n", "", "q_1.sql:13: the header has no false positives, one * item a line"},
		{"a stray item", "-- pack: detection", "-- * item\n-- pack: detection", "q_1.sql:3: an item belongs to no field"},
		{"no value", "-- value: It says: who talks.\n", "", "q_1.sql:1: the header has no value"},
		{"a resolution without a policy", "-- value:", "-- resolution: restart\n-- value:", "q_1.sql:16: resolution does not belong here: only a policy has one"},
		{"an interval of a policy", "pack: detection", "pack: policy", "q_1.sql:9: interval does not belong here: of a policy Fleet decides when it runs"},
		{"no sentence", "-- Programs that talk. One row each.\n", "", "q_1.sql:1: the header does not begin with a sentence"},
		{"no statement", "SELECT path, ';' AS semicolon\nFROM beacon_candidates;\n", "", "q_1.sql:17: there is no statement"},
		{"two statements", "candidates;", "candidates; SELECT 2;", `q_1.sql:17: there is more after the first statement: "SELECT 2"`},
		{"a statement that writes", "SELECT path", "DELETE FROM x; SELECT path", `q_1.sql:17: a statement begins with SELECT or WITH, not with "DELETE"`},
		{"an open quotation", "';'", "';", `q_1.sql:17: the quotation that begins with "';`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, good, tt.old)
			_, err := Parse("q_1.sql", []byte(strings.Replace(good, tt.old, tt.new, 1)))
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := Parse("Beacon-1.sql", []byte(good))
	require.ErrorContains(t, err, `Beacon-1.sql:1: a query is named by 3 to 63 lower-case letters`)
}

func TestLoadSortsAndNamesEveryMistake(t *testing.T) {
	queries, err := Load(fstest.MapFS{
		"b_two.sql": {Data: []byte(good)}, "a_one.sql": {Data: []byte(good)}, "notes.txt": {Data: []byte("no query")},
		"c_three.sql": {Data: []byte(strings.Replace(good, "detection", "hunting", 1))},
	})
	require.NoError(t, err)
	require.Len(t, queries, 3)
	require.Equal(t, "a_one", queries[0].Name)
	require.Len(t, Of(queries, Hunting), 1)
	_, err = Load(fstest.MapFS{"one.sql": {Data: []byte("SELECT 1")}, "two.sql": {Data: []byte("-- nothing\n")}})
	require.ErrorContains(t, err, "one.sql:1: the header has no pack")
	require.ErrorContains(t, err, "two.sql:2: there is no statement")
}

func TestOneSelect(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1;":                        "SELECT 1",
		"with a as (select 1) select *":    "with a as (select 1) select *",
		"SELECT ';' -- ; not here\n;;\n":   "SELECT ';' -- ; not here",
		"SELECT 1 /* ; */ + 2":             "SELECT 1 /* ; */ + 2",
		"SELECT 1 -- the end":              "SELECT 1 -- the end",
		"SELECT \"a;b\", `c;d`":            "SELECT \"a;b\", `c;d`",
		"SELECT 'it''s; one'":              "SELECT 'it''s; one'",
		"(SELECT 1)":                       "",
		"SELECT 1 /* never":                "",
		"PRAGMA user_version":              "",
		"SELECT\x00 1":                     "",
		"":                                 "",
		"SELECT 1; ATTACH 'x' AS y; --":    "",
		"INSERT INTO x SELECT 1":           "",
		"EXPLAIN SELECT 1":                 "",
		"SELECT\n1":                        "SELECT\n1",
		"VALUES (1)":                       "",
		"SELECT 1;SELECT 2":                "",
		"-- comment first\nSELECT 1":       "",
		"SELECT [weird;name] FROM nowhere": "",
	} {
		got, err := oneSelect(text)
		require.Equal(t, want, got, "%q", text)
		require.Equal(t, want == "", err != nil, "%q: %v", text, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("-- a\n-- pack:\n--   * b\nWITH"))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := Parse("fuzz.sql", text)
		if err != nil {
			return
		}
		again, err := oneSelect(q.SQL)
		require.NoError(t, err)
		require.Equal(t, q.SQL, again, "what was taken is one statement")
		for _, line := range q.FalsePositives {
			require.NotContains(t, line, "\n")
		}
	})
}
