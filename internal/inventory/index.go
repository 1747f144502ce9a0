package inventory

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// Bounds of what is remembered from one verdict to the next.
const (
	maxKnown   = 4096
	maxTargets = 1024
)

// index finds the rules that name a program: by one literal value where a rule has such a dimension, else by the directory
// its path begins with, else among those that must be asked one by one.
type index struct {
	literal   [dimensions]map[string][]*Rule
	directory map[string][]*Rule
	rest      []*Rule

	mu    sync.Mutex
	known map[profile]*known
}

// known is what has been found out about one program.
type known struct {
	tool    bool    // it is a general-purpose tool
	errands bool    // it talks for whoever tells it to: a tool, or the kernel
	rules   []*Rule // that name it, the highest authority and the most specific first
	purpose []*Rule // those of them that say that it talks, whatever to
	targets map[Target][]*Rule
}

func newIndex(rules []*Rule) *index {
	x := &index{directory: map[string][]*Rule{}, known: map[profile]*known{}}
	for d := range x.literal {
		x.literal[d] = map[string][]*Rule{}
	}
	for _, r := range rules {
		x.add(r)
	}
	return x
}

// add files a rule under the first of its dimensions that is all literal. Users have a hundred programs each, and what a
// package or user says of a shipped entry is not part of its name.
func (x *index) add(r *Rule) {
	for d := range byUser {
		patterns := r.program[d]
		if len(patterns) == 0 || !all(patterns, func(g glob) bool { return g.literal }) || r.Source != Operator && !nominal(d) {
			continue
		}
		for _, g := range patterns {
			x.literal[d][g.text] = append(x.literal[d][g.text], r)
		}
		return
	}
	if paths := r.program[byPath]; len(paths) > 0 {
		for i := range paths {
			dir := paths[i].directory()
			if !slices.Contains(x.directory[dir], r) {
				x.directory[dir] = append(x.directory[dir], r)
			}
		}
		return
	}
	x.rest = append(x.rest, r)
}

// about returns what is known of a program, and looks it up if nothing is.
func (x *index) about(p *profile) *known {
	x.mu.Lock()
	defer x.mu.Unlock()
	if k := x.known[*p]; k != nil {
		return k
	}
	if len(x.known) >= maxKnown {
		clear(x.known)
	}
	path := p[byPath][0]
	k := &known{tool: generalPurpose(path), rules: x.find(p), targets: map[Target][]*Rule{}}
	k.errands = k.tool || path == process.Kernel
	for _, r := range k.rules {
		if !r.Unexpected && (!k.errands || r.namesScript()) {
			k.purpose = append(k.purpose, r)
		}
	}
	x.known[*p] = k
	return k
}

func (x *index) find(p *profile) []*Rule {
	var found []*Rule
	seen := map[*Rule]bool{} // a rule may be filed under several values
	consider := func(rules []*Rule) {
		for _, r := range rules {
			which := every
			if r.Source != Operator {
				which = nominal
			}
			if !seen[r] && r.program.fits(p, which) {
				seen[r] = true
				found = append(found, r)
			}
		}
	}
	for d := range x.literal {
		for _, v := range p[d] {
			if v != "" {
				consider(x.literal[d][v])
			}
		}
	}
	path := p[byPath][0]
	for i := strings.IndexByte(path, '/'); i >= 0; {
		consider(x.directory[path[:i+1]])
		next := strings.IndexByte(path[i+1:], '/')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	consider(x.rest)
	slices.SortStableFunc(found, func(a, b *Rule) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(b.program.specificity(), a.program.specificity()),
			cmp.Compare(a.Name, b.Name))
	})
	return found
}

// covering returns those of the rules about the program that cover the target.
func (x *index) covering(k *known, t Target) []*Rule {
	x.mu.Lock()
	defer x.mu.Unlock()
	if rules, ok := k.targets[t]; ok {
		return rules
	}
	if len(k.targets) >= maxTargets {
		clear(k.targets)
	}
	var rules []*Rule
	for _, r := range k.rules {
		if r.covers(&t) {
			rules = append(rules, r)
		}
	}
	k.targets[t] = rules
	return rules
}
