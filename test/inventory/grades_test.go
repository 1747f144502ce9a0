package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	rules "github.com/beaconwatch/beaconwatch/internal/inventory"
	shipped "github.com/beaconwatch/beaconwatch/packs/inventory"
)

// bench judges descriptions by the shipped rules for their host's role, with or without those of the operator.
type bench struct {
	dir  string // of the operator's rules; "" for none
	sets map[string]*rules.Set
}

func newBench(t *testing.T, withRules bool) *bench {
	b := &bench{sets: map[string]*rules.Set{}}
	if withRules {
		b.dir = t.TempDir()
		text, err := os.ReadFile("testdata/rules.yaml")
		require.NoError(t, err)
		require.NoError(t, os.Chmod(b.dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(b.dir, "rules.yaml"), text, 0o644))
	}
	return b
}

func (b *bench) judge(t *testing.T, d *description) rules.Verdict {
	set := b.sets[d.Role]
	if set == nil {
		var err error
		set, err = rules.Load(rules.Files{Shipped: shipped.Files, Dir: b.dir, Roles: rules.SplitRoles(d.Role)})
		require.NoError(t, err)
		b.sets[d.Role] = set
	}
	s, err := d.subject()
	require.NoError(t, err)
	return set.Judge(s)
}

// matrix counts grades.
type matrix [4]int

func (m matrix) total() int { return m[0] + m[1] + m[2] + m[3] }

func (m matrix) atLeast(s rules.Severity) float64 {
	n := 0
	for i := s; i <= rules.High; i++ {
		n += m[i]
	}
	return float64(n) / float64(m.total())
}

func (m matrix) String() string {
	return fmt.Sprintf("info %2d  low %2d  medium %2d  high %2d  of %d", m[0], m[1], m[2], m[3], m.total())
}

func TestGrades(t *testing.T) {
	malicious, err := read("testdata/malicious.yaml")
	require.NoError(t, err)
	benign, err := read("testdata/benign.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(malicious), 60)
	require.GreaterOrEqual(t, len(benign), 60)
	ruled, bare := newBench(t, true), newBench(t, false)

	count := func(b *bench, all []description, holdout bool, miss func(rules.Severity) bool) matrix {
		var m matrix
		for i := range all {
			if all[i].Holdout != holdout {
				continue
			}
			v := b.judge(t, &all[i])
			m[v.Severity]++
			if miss(v.Severity) {
				t.Logf("%s %s: %s (%s) %s", v.Severity, all[i].ID, all[i].What, v.SuspicionList(), v.Reason)
			}
		}
		return m
	}
	quiet := func(s rules.Severity) bool { return s < rules.Medium }
	loud := func(s rules.Severity) bool { return s > rules.Info }
	silent := func(rules.Severity) bool { return false }
	var report strings.Builder
	tuned := os.Getenv("BEACONWATCH_TUNING") != ""
	for _, holdout := range []bool{false, true} {
		if holdout && tuned {
			break
		}
		bad, good := count(ruled, malicious, holdout, quiet), count(ruled, benign, holdout, loud)
		alone := count(bare, benign, holdout, silent)
		fmt.Fprintf(&report, "holdout %v\n  malicious                         %v\n  benign                            %v\n  benign without the operator's     %v\n",
			holdout, bad, good, alone)
		if !tuned {
			require.GreaterOrEqual(t, bad.atLeast(rules.Medium), 0.9)
		}
	}
	t.Log("\n" + report.String())
}
