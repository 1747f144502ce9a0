package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// beats are what each daemon and implant sends, one a second; before the last all of them must be graded. That one has removed its
// own file is seen within a little more than a minute, later on a host so busy that enrichment gives way.
const beats = 240

// TestDaemonsAndImplants has one sensor watch daemons of Debian and implants on one server. No daemon is above info, by the
// entry of the catalogue that is about it; every implant is medium or higher, and not for want of an entry alone.
func TestDaemonsAndImplants(t *testing.T) {
	onServer(t)
	t.Parallel()
	daemons := daemonsOf(t)
	connectOutside(t)
	s := startSensor(t)
	for _, d := range daemons {
		d.start(t)
	}
	implants := startImplants(t, s)

	var rows []map[string]string
	defer func() { t.Logf("grades:\n%s", listed(t, rows)) }()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows = grades(c, s)
		for _, d := range daemons {
			row := find(c, rows, d.entry, d.path, d.port)
			assert.Equal(c, "info", row["severity"], "%s: %s", d.path, row["reason"])
			assert.Equal(c, d.entry, row["rule"], "%s: %s", d.path, row["reason"])
			assert.Equal(c, "1", row["expected"], d.path)
			assert.Equal(c, d.pkg, row["package_name"], d.path)
			assert.NotContains(c, row["suspicions"], "recent_executable", "%s is as its package installed it", d.path)
		}
		for _, i := range implants {
			row := find(c, rows, i.what, i.path, i.port)
			assert.Contains(c, []string{"medium", "high"}, row["severity"], "%s: %s", i.what, row["reason"])
			assert.Contains(c, row["suspicions"], i.because, i.what)
			assert.Equal(c, "0", row["expected"], i.what)
		}
	}, beats*time.Second, time.Second)
}

// find returns the row of a program and a port; there must be one, of a regular rhythm.
func find(t require.TestingT, rows []map[string]string, what, path string, port int) map[string]string {
	i := slices.IndexFunc(rows, func(r map[string]string) bool {
		return r["path"] == path && r["remote_port"] == strconv.Itoa(port)
	})
	if !assert.GreaterOrEqual(t, i, 0, "%s is no candidate yet", what) {
		return nil
	}
	assert.Contains(t, rows[i]["reason_codes"], "above_threshold", what)
	return rows[i]
}

// listed prints rows for people.
func listed(t *testing.T, rows []map[string]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "path\tto\tas\tbeats\tinterval\tseverity\trule\tsuspicions")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s:%s\t%s\t%s\t%s ms\t%s\t%s\t%s\n", strings.TrimSpace(r["path"]+" "+r["script"]), r["remote_address"],
			r["remote_port"], r["username"], r["beats"], r["interval_ms"], r["severity"], r["rule"], r["suspicions"])
	}
	require.NoError(t, w.Flush())
	return b.String()
}
