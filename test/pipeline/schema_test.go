package pipeline

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	packs "github.com/beaconwatch/beaconwatch/packs/fleet"
)

const midnight = 1_794_096_000 // 2026-11-08, a Sunday

// cluster is the one shard that fits into a process without a server: this process.
const cluster = `<clickhouse>
  <tcp_port>9000</tcp_port>
  <macros><cluster>fleet</cluster><shard>1</shard><replica>1</replica></macros>
  <remote_servers><fleet><shard><replica><host>localhost</host><port>9000</port></replica></shard></fleet></remote_servers>
</clickhouse>`

var replicated = regexp.MustCompile(`Replicated(\w*MergeTree)\([^)]*\)`)

// TestClusterAnswersTheSame runs the schema of a cluster on a cluster of one shard and asks all rollups there. What needs a
// Keeper, ON CLUSTER and replication, is only parsed, and left out of what is run.
func TestClusterAnswersTheSame(t *testing.T) {
	c := startClickHouse(t, write(t, filepath.Join(room(t), "config.xml"), cluster))
	text, err := fleet.Schema("clickhouse_cluster")
	require.NoError(t, err)
	for statement := range strings.SplitSeq(strings.TrimSpace(text), ";\n") {
		require.Contains(t, statement, " ON CLUSTER '{cluster}'")
		c.query(t, "EXPLAIN AST "+statement)
		c.query(t, replicated.ReplaceAllString(strings.ReplaceAll(statement, " ON CLUSTER '{cluster}'", ""), "$1"))
	}
	c.exec(t, packs.Cases)
	c.query(t, "ALTER TABLE beacon_result_rows REMOVE TTL")
	const now = midnight + 72*3600
	c.settle(t, now)
	single := newSQLite(t, now)
	path := write(t, filepath.Join(room(t), "made up.log"), madeUp(8, 20, midnight))
	single.load(t, path)
	for range 2 {
		c.load(t, path)
	}
	for _, r := range rollups(t) {
		t.Run(r.Name, func(t *testing.T) { require.Equal(t, single.query(t, r.SQL), c.query(t, r.SQL)) })
	}
	require.Equal(t, c.query(t, seenDaily), c.query(t, "SELECT * FROM beacon_seen_daily ORDER BY day, signature"))
}

// seenDaily is what the rollup that is kept ready holds.
const seenDaily = `SELECT day, signature, count(DISTINCT host), min(unix_time), max(unix_time) FROM beacon_results
WHERE kind = 'candidate' AND action <> 'removed' GROUP BY day, signature ORDER BY day, signature`

func TestKeptRollupsAreWhatIsThere(t *testing.T) {
	path := write(t, filepath.Join(room(t), "made up.log"), madeUp(9, 10, midnight))
	for _, e := range engines(t, midnight)[1:] {
		for range 2 {
			e.load(t, path)
		}
		if e.name() == "postgresql" {
			e.exec(t, "REFRESH MATERIALIZED VIEW CONCURRENTLY beacon_seen_daily")
		}
		require.Equal(t, e.query(t, seenDaily), e.query(t, "SELECT * FROM beacon_seen_daily ORDER BY day, signature"), e.name())
	}
}

func TestPostgreSQLKeepsWeeks(t *testing.T) {
	p := newPostgreSQL(t, 0)
	event := func(at int64) string {
		return fmt.Sprintf(`{"name":"x","hostIdentifier":"h","unixTime":%d,"columns":{},"action":"added"}`+"\n", at)
	}
	rows := func(table string) string { return p.query(t, "SELECT count(*) FROM "+table)[0][0] }
	require.Equal(t, [][]string{{"beacon_results_20261105"}}, p.query(t, fmt.Sprintf("SELECT beacon_partition(%d)", midnight)), "the Thursday before")
	require.Equal(t, [][]string{{"beacon_results_20261105"}}, p.query(t, fmt.Sprintf("SELECT beacon_partition(%d)", midnight)), "a second call does no harm")
	p.load(t, lines(t, event(midnight)+event(midnight+1)+event(midnight-30*86_400)+event(midnight+30*86_400)))
	require.Equal(t, []string{"2", "2", "4"}, []string{rows("beacon_results_20261105"), rows("beacon_results_default"), rows("beacon_results")})
	require.Equal(t, [][]string{{"0"}}, p.query(t, fmt.Sprintf("SELECT beacon_expire(%d)", midnight)), "a week is kept to its end")
	require.Equal(t, "3", rows("beacon_results"), "of the others single rows go")
	require.Equal(t, [][]string{{"1"}}, p.query(t, fmt.Sprintf("SELECT beacon_expire(%d)", midnight+5*86_400)))
	require.Equal(t, "1", rows("beacon_results"))
}

func TestClickHouseForgetsOldRows(t *testing.T) {
	c := startClickHouse(t)
	c.exec(t, schema(t, "clickhouse"))
	event := func(at time.Time) string {
		return fmt.Sprintf(`{"name":"x","hostIdentifier":"h","unixTime":%d,"columns":{},"action":"added"}`+"\n", at.Unix())
	}
	c.load(t, lines(t, event(time.Now().AddDate(0, -14, 0))+event(time.Now().AddDate(0, -12, 0))))
	c.query(t, "OPTIMIZE TABLE beacon_result_rows FINAL")
	require.Equal(t, [][]string{{"1"}}, c.query(t, "SELECT count(*) FROM beacon_results"))
}
