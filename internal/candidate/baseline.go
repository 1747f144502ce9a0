package candidate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Baseline is a program seen talking, with the verdict on all it does: Expected is 1 only if every destination is covered.
type Baseline struct {
	Key          history.Key
	Process      process.ID // the one that sent last
	Totals       history.Totals
	Destinations int
	Periodic     bool // towards some destination, or over all of them
	Verdict      inventory.Verdict
}

// Baseline returns every program that f matches and that has talked to a destination of the included classes. It may be
// called from anywhere.
func (r *Ranker) Baseline(f history.Filter) []Baseline {
	ranked := r.Snapshot().ofPrograms()
	now := time.Now()
	var found []Baseline
	for _, p := range r.config.Store.Programs(f) {
		p.Destinations = slices.DeleteFunc(p.Destinations, func(d send.Destination) bool { return !r.config.Include(r.config.Class(d)) })
		if len(p.Destinations) == 0 {
			continue
		}
		b := Baseline{Key: p.Key, Process: p.Latest, Totals: p.Totals, Destinations: len(p.Destinations)}
		b.Verdict = r.summarize(&p, ranked[p.ID], now)
		b.Periodic = slices.ContainsFunc(ranked[p.ID], func(c *Candidate) bool {
			rhythm := rhythmOf(&c.Result)
			return rhythm.Found && rhythm.Sufficient
		})
		found = append(found, b)
	}
	return found
}

// summarize puts the verdicts on the series of a program together. Destinations that are no candidates are judged here.
func (r *Ranker) summarize(p *history.Program, ranked []*Candidate, now time.Time) inventory.Verdict {
	var all summary
	judged := map[send.Destination]bool{}
	for _, c := range ranked {
		all.add(c.Verdict)
		judged[c.Destination] = true
	}
	g := &r.config.Grading
	w := g.observe(p.Latest, p.Key.Program, nil)
	for _, d := range p.Destinations {
		if judged[d] {
			continue
		}
		s := g.subject(w, []inventory.Target{g.target(d, r.config.Class(d))}, now)
		s.First, s.Last, s.Peers = g.Clock.Wall(p.Totals.First), g.Clock.Wall(p.Totals.Last), len(p.Destinations)
		all.add(g.Inventory().Judge(s))
	}
	return all.verdict()
}

// summary is the verdict on a program from those on its series: what is not covered outweighs what is, then the more severe.
type summary struct {
	worst         inventory.Verdict
	facing        int8
	rules         []string
	of, uncovered int
}

func (s *summary) add(v inventory.Verdict) {
	if s.of == 0 {
		s.worst, s.facing = v, v.NetworkFacing
	}
	s.of++
	if v.Expected != 1 {
		s.uncovered++
	}
	if v.Rule != "" && !slices.Contains(s.rules, v.Rule) {
		s.rules = append(s.rules, v.Rule)
	}
	s.facing = max(s.facing, v.NetworkFacing)
	if v.Expected < s.worst.Expected || v.Expected == s.worst.Expected && v.Severity > s.worst.Severity {
		s.worst = v
	}
}

func (s *summary) verdict() inventory.Verdict {
	v := s.worst
	v.NetworkFacing = s.facing
	if s.uncovered == 0 {
		slices.Sort(s.rules)
		v.Rule = strings.Join(s.rules, ", ")
	} else if s.of > 1 {
		v.Reason = fmt.Sprintf("%d of %d series %s", s.uncovered, s.of, v.Reason)
	}
	return v
}
