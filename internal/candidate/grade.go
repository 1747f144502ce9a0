package candidate

import (
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

const (
	// regradeEvery is how often all grades are looked at again: rules expire, files age, processes are examined anew.
	regradeEvery = time.Minute
	// patience is how long a grade whose process is not completely known is looked at again with every refresh.
	patience = time.Minute
	// toldMost bounds the verdicts that are kept for their texts.
	toldMost = 1000
)

// standing is what the ranker remembers of a candidate from one refresh to the next.
type standing struct {
	scored, changed time.Time // the last scoring; the last one by which the process was another
	witness         *witness
	graded          bool
}

// grader judges candidates as what they rest on becomes known and changes. It is used by the ranker's goroutine only.
type grader struct {
	Grading
	set      *inventory.Set
	full     time.Time
	together map[uint64][]send.Destination // of this refresh, once asked for
	// complete are the witnesses of whom all is known, shared by the candidates of one process; met are those of this refresh.
	complete map[process.ID]*witness
	met      map[process.ID]meeting
	// told are verdicts by their reasons, for candidates that are judged alike to share their texts.
	told map[string]inventory.Verdict
}

// meeting is a witness, and the one before it.
type meeting struct{ before, now *witness }

// observe returns what is known of the latest process of c.
func (g *grader) observe(c *Candidate, before *witness) *witness {
	if w := g.complete[c.Process]; w != nil && w.info.Program == c.Key.Program {
		return w
	}
	if m := g.met[c.Process]; m.now != nil && m.before == before && m.now.info.Program == c.Key.Program {
		return m.now
	}
	w := g.Grading.observe(c.Process, c.Key.Program, before)
	g.met[c.Process] = meeting{before, w}
	if w.complete() {
		g.complete[c.Process] = w
	}
	return w
}

// shared returns v with the texts of another verdict that reads the same, if there was one of late.
func (g *grader) shared(v inventory.Verdict) inventory.Verdict {
	old, ok := g.told[v.Reason]
	if ok && same(&old, &v) && old.Weight == v.Weight && slices.Equal(old.Suspicions, v.Suspicions) {
		return old
	}
	if len(g.told) < toldMost {
		g.told[v.Reason] = v
	}
	return v
}

// grade brings the verdicts of the listed candidates up to date and reports whether any is another. A candidate that may
// have been published is replaced, never changed.
func (r *Ranker) grade(listed []*Candidate, now time.Time) (changed bool) {
	g := &r.grader
	set := g.Inventory()
	all := set != g.set || now.Sub(g.full) >= regradeEvery
	if all {
		g.set, g.full, g.complete, g.told = set, now, map[process.ID]*witness{}, map[string]inventory.Verdict{}
	}
	g.together, g.met = nil, map[process.ID]meeting{}
	for i, c := range listed {
		st := r.standings[c.ID]
		fresh := !st.graded
		if !fresh && !all && (st.witness.complete() || now.Sub(st.changed) > patience) {
			continue
		}
		st.witness = g.observe(c, st.witness)
		v := set.Judge(r.subject(c, st.witness, now))
		if !fresh && same(&v, &c.Verdict) {
			continue
		}
		replaced := *c
		replaced.Verdict = g.shared(v)
		listed[i], r.by[c.ID], st.graded, changed = &replaced, &replaced, true, true
	}
	return changed
}

// subject is what a candidate is judged by.
func (r *Ranker) subject(c *Candidate, w *witness, now time.Time) *inventory.Subject {
	g := &r.grader
	var targets []inventory.Target
	forgotten := false
	if c.Scope == ByDestination {
		targets = []inventory.Target{g.target(c.Destination, c.Class)}
	} else {
		if g.together == nil {
			g.together = r.config.Store.Together()
		}
		for _, d := range g.together[c.program] {
			targets = append(targets, g.target(d, r.config.Class(d)))
		}
		forgotten = len(targets) < c.Destinations
	}
	s := g.Grading.subject(w, targets, now)
	s.Forgotten, s.Peers, s.Rhythm = forgotten, c.Peers, rhythmOf(&c.Result)
	s.First, s.Last = g.Clock.Wall(c.Totals.First), g.Clock.Wall(c.Totals.Last)
	return s
}

// same reports whether two verdicts read the same in a row.
func same(a, b *inventory.Verdict) bool {
	return a.Severity == b.Severity && a.Expected == b.Expected && a.NetworkFacing == b.NetworkFacing && a.Rule == b.Rule &&
		a.Source == b.Source && a.Reason == b.Reason && slices.Equal(a.Codes, b.Codes)
}
