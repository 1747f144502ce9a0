package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxRules bounds a set.
const maxRules = 20_000

// Set is a validated set of rules, ready to judge. It may be used concurrently.
type Set struct {
	rules  []*Rule
	index  *index
	alikes alikes
	hash   string
}

// newSet checks the rules against each other and makes them a set. Where there is a finding there is no set.
func newSet(rules []*Rule) (*Set, []Finding) {
	if len(rules) > maxRules {
		r := rules[maxRules]
		return nil, []Finding{r.finding("at most %d rules are read, this is one more", maxRules)}
	}
	if findings := append(duplicates(rules), contradictions(rules)...); len(findings) > 0 {
		return nil, findings
	}
	set := &Set{rules: rules, index: newIndex(rules), alikes: alikes{}, hash: hashOf(rules)}
	for _, r := range rules {
		if r.Source != Operator && !r.Unexpected {
			set.alikes.add(r)
		}
	}
	return set, nil
}

func (r *Rule) finding(format string, a ...any) Finding {
	return Finding{File: r.File, Line: r.Line, Column: r.Column, Text: fmt.Sprintf(format, a...)}
}

func (r *Rule) place() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// duplicates finds names used twice by one source.
func duplicates(rules []*Rule) []Finding {
	type key struct {
		source Source
		name   string
	}
	first := map[key]*Rule{}
	var findings []Finding
	for _, r := range rules {
		k := key{r.Source, r.Name}
		if other := first[k]; other != nil {
			findings = append(findings, r.finding("the name %s is taken by the rule at %s", r.Name, other.place()))
			continue
		}
		first[k] = r
	}
	return findings
}

// contradictions finds pairs of one source of which one expects what the other rules out, and neither is an exception to
// the other, that is, within it in every respect.
func contradictions(rules []*Rule) []Finding {
	var findings []Finding
	for _, no := range rules {
		if !no.Unexpected {
			continue
		}
		for _, yes := range rules {
			if yes.Unexpected || yes.Source != no.Source || !yes.overlaps(no) || yes.within(no) != no.within(yes) {
				continue
			}
			findings = append(findings, no.finding("the rule %s rules out what %s at %s expects, and neither is an exception within the other",
				no.Name, yes.Name, yes.place()))
			if len(findings) >= maxFindings {
				return findings
			}
		}
	}
	return findings
}

// hashOf is the SHA-256 of the rules whatever their order and files: equal hashes mean equal verdicts.
func hashOf(rules []*Rule) string {
	prints := make([]string, len(rules))
	for i, r := range rules {
		prints[i] = r.fingerprint
	}
	slices.Sort(prints)
	sum := sha256.Sum256([]byte(strings.Join(prints, "\n")))
	return hex.EncodeToString(sum[:])
}

// Hash identifies the effective rules.
func (set *Set) Hash() string { return set.hash }

// Rules returns all rules, the highest authority first. The slice is shared: read only.
func (set *Set) Rules() []*Rule { return set.rules }

// Expired returns one finding for each rule that no longer holds.
func (set *Set) Expired(now time.Time) []Finding {
	var findings []Finding
	for _, r := range set.rules {
		if r.Expired(now) {
			findings = append(findings, r.finding("the rule %s expired after %s and does not apply: renew or remove it", r.Name, r.lastDay()))
		}
	}
	return findings
}
