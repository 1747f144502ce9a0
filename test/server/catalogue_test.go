package server

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

// TestCatalogueProgramsOfThrowAwayPackages installs packages that own the real paths of programs of the catalogue, starts the
// programs, has attribution and enrichment find out what they are, and lets time run at their real periods through the
// recorded clock: none is above info, each by its own entry.
// Were it not for the package database, most would be.
func TestCatalogueProgramsOfThrowAwayPackages(t *testing.T) {
	onServer(t)
	t.Parallel()
	all := programs(t)
	files := []string{"-i"}
	for _, p := range all {
		files = append(files, p.build(t))
	}
	run(t, "", "dpkg", files...)

	j, without := newJudge(t, "/"), newJudge(t, t.TempDir())
	now := time.Now()
	for _, p := range all {
		args := []string{}
		if p.script != "" {
			args = append(args, p.script)
		}
		c := launch(t, p.user, exec.Command(p.path, args...))
		j.play(t, p, int32(c.pid()), now)
		without.play(t, p, int32(c.pid()), now)
	}
	graded := map[string]*candidate.Candidate{}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		j.ranker.Refresh()
		for _, p := range all {
			x := j.candidate(p)
			if !assert.NotNil(c, x, "%s is no candidate", p.entry) {
				continue
			}
			graded[p.entry] = x
			assert.Equal(c, p.entry, x.Verdict.Rule, "%s: %s", p.path, x.Verdict.Reason)
			assert.Equal(c, int8(1), x.Verdict.Expected, p.entry)
			assert.Equal(c, inventory.Info, x.Verdict.Severity, p.entry)
			facts, _ := j.facts(x.Process)
			owner := facts.Package
			if p.script != "" {
				owner = facts.ScriptPackage
			}
			assert.Equal(c, p.pkg, owner, p.entry)
			assert.True(c, facts.Intact && (p.script == "" || facts.ScriptIntact), "%s is not what its package installed", p.entry)
		}
	}, patience, 100*time.Millisecond)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		without.ranker.Refresh()
		for _, p := range all {
			v := without.candidate(p).Verdict
			assert.Equal(c, p.updates, v.Expected == 1, "%s: %s", p.path, v.Reason)
			assert.Equal(c, p.updates, v.Severity == inventory.Info, "%s: %s", p.path, v.Reason)
		}
	}, patience, 100*time.Millisecond, "without the package database nobody vouches for a file newer than the beacon")

	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "entry\tpackage\tas\tto\tbeats\tinterval\tevidence\tbeacon\tseverity")
	beacons := 0
	for _, p := range all {
		x := graded[p.entry]
		found := x.Result.Codes.Has(beacon.AboveThreshold)
		if found {
			beacons++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%.0f\t%t\t%s\n", p.entry, p.pkg, p.user, p.to, p.beats, x.Result.Interval.Round(time.Millisecond),
			x.Result.Evidence, found, x.Verdict.Severity)
	}
	require.NoError(t, w.Flush())
	catalogue := 0
	for _, r := range j.rules.Rules() {
		if r.Source == inventory.Catalogue {
			catalogue++
		}
	}
	t.Logf("grades of %d of the catalogue's %d entries:\n%s", len(all), catalogue, &table)
	require.GreaterOrEqual(t, beacons, 15, "as many must beacon, or the catalogue has nothing to say")
}
