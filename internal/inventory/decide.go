package inventory

import (
	"slices"
	"strings"
)

// finding is what the rules say of a subject. none: no rule names the program.
type finding struct {
	rule      *Rule // that decided, or came nearest
	covered   bool
	none      bool
	ruledOut  bool // by a rule about all destinations
	talks     bool // some rule in force says that the program does
	tool      bool // it is a general-purpose tool
	codes     []Code
	objection *objection // to the nearest rule
}

// decide asks the rules about each target; the subject is covered if every one of them is.
func (set *Set) decide(s *Subject) finding {
	p := profileOf(s)
	k := set.index.about(&p)
	out := finding{none: len(k.rules) == 0, tool: k.tool, talks: inForce(k.purpose, s)}
	for _, t := range s.Targets {
		rule := pick(set.index.covering(k, t), s)
		switch {
		case rule == nil:
			out.nearest(k, set.index.covering(k, t), s)
			return out
		case rule.Unexpected:
			out.rule, out.ruledOut = rule, len(rule.destinations) == 0
			out.codes = append(out.codes, RuledOut)
			return out
		case s.Forgotten && len(rule.destinations) > 0:
			out.rule = rule
			out.codes = append(out.codes, DestinationNotCovered)
			return out
		}
		if out.rule == nil {
			out.rule = rule
		}
	}
	if out.covered = out.rule != nil; out.covered {
		out.codes = append(out.codes, Expected)
	}
	return out
}

// inForce reports whether one of the rules holds today for this process.
func inForce(rules []*Rule, s *Subject) bool {
	for _, r := range rules {
		if !r.Expired(s.Now) && r.objects(s) == nil {
			return true
		}
	}
	return false
}

// pick returns the rule that decides among those that cover a target: in force, of the highest authority, and of these one
// that is no exception's general case.
func pick(covering []*Rule, s *Subject) *Rule {
	var best *Rule
	for _, r := range covering {
		switch {
		case best != nil && r.Source != best.Source:
			return best
		case r.Expired(s.Now) || !r.inRhythm(s) || r.objects(s) != nil:
		case best == nil || r.Unexpected != best.Unexpected && r.within(best):
			best = r
		}
	}
	return best
}

// inRhythm reports whether the periods of the rule cover the rhythm. Without a rhythm there is nothing to cover.
func (r *Rule) inRhythm(s *Subject) bool {
	if !s.Rhythm.Found {
		return true
	}
	return r.keeps(s.Rhythm.Period, s.of()) && r.keeps(s.Rhythm.Second, s.of())
}

// nearest explains why no rule decides: the one that came nearest, and what it lacks.
func (f *finding) nearest(k *known, covering []*Rule, s *Subject) {
	f.rule = nil
	best := -1
	consider := func(r *Rule, nearness int, o *objection, codes ...Code) {
		if nearness > best {
			best, f.rule, f.objection = nearness, r, o
			f.codes = codes
		}
	}
	for _, r := range covering {
		o := r.objects(s)
		switch {
		case o != nil:
			consider(r, 1, o, o.code)
		case r.Expired(s.Now):
			consider(r, 4, nil, RuleExpired)
		case !r.Unexpected:
			consider(r, 3, nil, PeriodNotCovered)
		}
	}
	for _, r := range k.rules {
		if best >= 2 { // nothing that follows comes nearer
			return
		}
		o := r.objects(s)
		switch {
		case r.Unexpected || r.Expired(s.Now):
		case o != nil:
			consider(r, 0, o, o.code)
		case k.errands && !r.namesScript():
			consider(r, 2, nil) // the rule is about the errand, not about who runs it
		default:
			consider(r, 2, nil, DestinationNotCovered)
		}
	}
}

// facing is the network_facing of the subject.
func (f *finding) facing() int8 {
	switch {
	case f.covered || f.talks:
		return 1
	case f.ruledOut || f.tool:
		return 0
	}
	return -1
}

// sentence is why, for people.
func (f *finding) sentence(v *Verdict) string {
	var b strings.Builder
	rule := func() string { return f.rule.Source.String() + " rule " + f.rule.Name }
	switch {
	case f.covered:
		b.WriteString("expected: " + rule() + " covers this program, destination and period")
	case f.rule == nil:
		b.WriteString("not expected: no rule names this program")
	case f.objection != nil:
		b.WriteString("not expected: " + rule() + " does not apply: " + f.objection.text)
	case slices.Contains(f.codes, RuledOut):
		b.WriteString("not expected: " + rule() + " says so")
	case slices.Contains(f.codes, RuleExpired):
		b.WriteString("not expected: " + rule() + " expired after " + f.rule.lastDay())
	case slices.Contains(f.codes, PeriodNotCovered):
		b.WriteString("not expected: " + rule() + " covers every " + f.rule.Period() + " only")
	default:
		b.WriteString("not expected: " + rule() + " covers other destinations only")
	}
	for _, w := range v.Suspicions {
		if w.Code != DestinationNotCovered && w.Code != PeriodNotCovered && w.Code != RuledOut && (f.objection == nil || w.Code != f.objection.code) {
			b.WriteString("; " + w.Meaning)
		}
	}
	return b.String()
}
