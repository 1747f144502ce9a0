package inventory

import (
	"fmt"
	"os"
	"path/filepath"
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

// labelled returns the descriptions of one label.
func labelled(t *testing.T, label string) []description {
	all, err := read("testdata/" + label + ".yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 60)
	return all
}

// count judges those that are kept out while tuning, or the others, and names the ones of a grade nobody wants to see there.
func (b *bench) count(t *testing.T, all []description, holdout bool, unwanted func(rules.Severity) bool) matrix {
	var m matrix
	for i := range all {
		if all[i].Holdout != holdout {
			continue
		}
		v := b.judge(t, &all[i])
		m[v.Severity]++
		if unwanted(v.Severity) {
			t.Logf("%s: %s, %s (%s): %s", v.Severity, all[i].ID, all[i].What, v.SuspicionList(), v.Reason)
		}
	}
	return m
}

func (m matrix) plus(o matrix) matrix {
	for i := range m {
		m[i] += o[i]
	}
	return m
}

// TestGrades prints the confusion matrix: how many of each label have which grade.
func TestGrades(t *testing.T) {
	malicious, benign := labelled(t, "malicious"), labelled(t, "benign")
	ruled, bare := newBench(t, true), newBench(t, false)
	var bad, good, alone [2]matrix
	for i, holdout := range []bool{false, true} {
		bad[i] = ruled.count(t, malicious, holdout, func(s rules.Severity) bool { return s < rules.Medium })
		good[i] = ruled.count(t, benign, holdout, func(s rules.Severity) bool { return s > rules.Info })
		alone[i] = bare.count(t, benign, holdout, func(rules.Severity) bool { return false })
		t.Logf("\n%s\n  malicious                             %v\n  benign                                %v\n  benign, without the operator's rules  %v",
			[]string{"tuned on", "kept out"}[i], bad[i], good[i], alone[i])
		require.GreaterOrEqual(t, bad[i].atLeast(rules.Medium), 0.95)
	}
	require.GreaterOrEqual(t, bad[0].plus(bad[1]).atLeast(rules.Medium), 0.95)
	require.LessOrEqual(t, good[0].plus(good[1]).atLeast(rules.Low), 0.02)
	require.Greater(t, alone[0].plus(alone[1]).atLeast(rules.Low), 0.2, "the rules are needed")
}

// TestLabels holds the table to what is said of it.
func TestLabels(t *testing.T) {
	ids := map[string]bool{}
	for _, label := range []string{"malicious", "benign"} {
		for n, d := range labelled(t, label) {
			require.Equal(t, fmt.Sprintf("%c%03d", label[0], n+1), d.ID)
			require.Equal(t, (n+1)%3 == 0, d.Holdout, d.ID)
			require.NotEmpty(t, d.What, d.ID)
			require.NotEmpty(t, d.Reference, d.ID)
			require.Empty(t, ids[d.ID])
			ids[d.ID] = true
		}
	}
}

// TestEveryOperatorRuleIsNeeded: what is marked as ruled is covered by that very rule, and by nothing without it.
func TestEveryOperatorRuleIsNeeded(t *testing.T) {
	ruled, bare := newBench(t, true), newBench(t, false)
	used := map[string]bool{}
	for _, d := range labelled(t, "benign") {
		v := ruled.judge(t, &d)
		if d.Ruled == "" {
			require.NotEqual(t, rules.Operator, v.Source, d.ID)
			continue
		}
		require.Equal(t, d.Ruled, v.Rule, d.ID)
		require.EqualValues(t, 1, v.Expected, d.ID)
		require.NotEqualValues(t, 1, bare.judge(t, &d).Expected, d.ID)
		used[d.Ruled] = true
	}
	for _, r := range ruled.sets[""].Rules() {
		if r.Source == rules.Operator {
			require.True(t, used[r.Name], r.Name)
		}
	}
}
