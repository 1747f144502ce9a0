package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"
)

// Source is who says so, in order of authority.
type Source uint8

// The sources. None is that of a verdict without a rule.
const (
	Operator Source = iota
	Role
	Catalogue
	None
)

// String returns the word of the rule_source column.
func (s Source) String() string {
	return [...]string{"operator", "role", "catalogue", ""}[min(s, None)]
}

// Rule is one validated statement about a program. It is immutable but for the record of when it last decided.
type Rule struct {
	Name, Comment, Owner string
	References           []string
	// Expires is the first instant at which the rule no longer holds; zero: never.
	Expires time.Time
	// Unexpected: the program has no business talking there. Otherwise it is expected to.
	Unexpected   bool
	Source       Source
	File         string
	Line, Column int

	program      criteria
	destinations []destination // none for any
	periods      []span        // none for any
	tolerates    []Code
	updates      bool // the file may change without its package saying so
	fingerprint  string
	lastUsed     atomic.Int64 // Unix time
}

// ruleText is what a rule says, in the form that hashes and rows show.
type ruleText struct {
	Name         string              `json:"name"`
	Comment      string              `json:"comment,omitempty"`
	Owner        string              `json:"owner,omitempty"`
	References   []string            `json:"reference,omitempty"`
	Expires      string              `json:"expires,omitempty"`
	Verdict      string              `json:"verdict"`
	Program      map[string][]string `json:"program"`
	Destinations []string            `json:"destinations"`
	Periods      []string            `json:"period"`
	Tolerates    []Code              `json:"tolerate,omitempty"`
	Updates      bool                `json:"updates_itself,omitempty"`
}

func (r *Rule) text() ruleText {
	t := ruleText{Name: r.Name, Comment: r.Comment, Owner: r.Owner, References: r.References, Verdict: "expected",
		Program: map[string][]string{}, Tolerates: r.tolerates, Updates: r.updates, Periods: named(r.periods, span.String)}
	if r.Unexpected {
		t.Verdict = "unexpected"
	}
	if !r.Expires.IsZero() {
		t.Expires = r.lastDay()
	}
	for d, patterns := range r.program {
		for _, g := range patterns {
			t.Program[dimensionKeys[d]] = append(t.Program[dimensionKeys[d]], g.text)
		}
	}
	for i := range r.destinations {
		t.Destinations = append(t.Destinations, r.destinations[i].String())
	}
	return t
}

// lastDay is the date an operator wrote: the last on which the rule holds.
func (r *Rule) lastDay() string { return r.Expires.AddDate(0, 0, -1).Format(time.DateOnly) }

// seal computes the fingerprint: equal fingerprints mean equal rules, wherever they are written.
func (r *Rule) seal() {
	b, err := json.Marshal(r.text())
	if err != nil {
		return // nothing in ruleText can fail to marshal
	}
	sum := sha256.Sum256(b)
	r.fingerprint = r.Source.String() + ":" + hex.EncodeToString(sum[:])
}

// Expired reports whether the rule no longer holds.
func (r *Rule) Expired(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

// LastUsed is when the rule last decided a verdict, to the second; zero: never.
func (r *Rule) LastUsed() time.Time {
	if at := r.lastUsed.Load(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// Program, Destinations and Period say in one line each what the rule covers, for people.
func (r *Rule) Program() string {
	var parts []string
	for d, patterns := range r.program {
		if len(patterns) > 0 {
			parts = append(parts, dimensionKeys[d]+" "+strings.Join(named(patterns, func(g glob) string { return g.text }), " or "))
		}
	}
	return strings.Join(parts, ", ")
}

// Destinations says where to.
func (r *Rule) Destinations() string {
	if len(r.destinations) == 0 {
		return anything
	}
	return strings.Join(r.text().Destinations, "; ")
}

// Period says how often.
func (r *Rule) Period() string {
	if len(r.periods) == 0 {
		return anything
	}
	return strings.Join(r.text().Periods, ", ")
}

// Reference names what the rule rests on, in one line.
func (r *Rule) Reference() string { return strings.Join(r.References, ", ") }

// covers reports whether the rule's destinations cover the target.
func (r *Rule) covers(t *Target) bool {
	if len(r.destinations) == 0 {
		return true
	}
	for i := range r.destinations {
		if r.destinations[i].covers(t) {
			return true
		}
	}
	return false
}

// keeps reports whether the rhythm is one of the rule's.
func (r *Rule) keeps(period time.Duration, of int) bool {
	return fits(r.periods, func(s span) bool { return s.covers(period, of) })
}

// specificDestinations reports whether each destination of the rule names where to.
func (r *Rule) specificDestinations() bool {
	return len(r.destinations) > 0 && all(pointersTo(r.destinations), (*destination).specific)
}

// namesScript reports whether the rule is about script files rather than about whatever runs them.
func (r *Rule) namesScript() bool {
	return len(r.program[byScript]) > 0 && all(r.program[byScript], func(g glob) bool { return isScriptFile(g.text) })
}

// within reports whether all that r covers is covered by o as well, so that r is an exception to it.
func (r *Rule) within(o *Rule) bool {
	return o.program.includes(&r.program) &&
		within(pointersTo(o.destinations), pointersTo(r.destinations), (*destination).includes) &&
		within(o.periods, r.periods, span.includes)
}

// overlaps reports whether something may be covered by both.
func (r *Rule) overlaps(o *Rule) bool {
	return r.program.overlaps(&o.program) &&
		meet(pointersTo(r.destinations), pointersTo(o.destinations), (*destination).overlaps) &&
		meet(r.periods, o.periods, span.overlaps)
}

func pointersTo[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}
