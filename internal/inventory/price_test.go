package inventory

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// shapes are ways in which rules pile up: each program with a rule of its own, by name and by pattern, and one program or tool
// with a rule for each of its destinations.
var shapes = map[string]func(i int) (path, network string){
	"literal":     func(i int) (string, string) { return fmt.Sprintf("/opt/app%d/bin/app", i), "10.0.0.0/8" },
	"glob":        func(i int) (string, string) { return fmt.Sprintf("/opt/app%d/**", i), "10.0.0.0/8" },
	"errand":      func(i int) (string, string) { return "/usr/bin/curl", fmt.Sprintf("10.%d.%d.0/24", i/250, i%250) },
	"destination": func(i int) (string, string) { return "/opt/app0/bin/app", fmt.Sprintf("10.%d.%d.0/24", i/250, i%250) },
}

// crowd makes a set of n rules of a shape.
func crowd(tb testing.TB, shape string, n int) *Set {
	var rules []*Rule
	for i := range n {
		path, network := shapes[shape](i)
		r := &Rule{Name: fmt.Sprintf("r%d", i), periods: []span{{time.Minute, time.Minute}}, destinations: []destination{{
			networks: []netip.Prefix{netip.MustParsePrefix(network)}, ports: []portRange{{443, 443}}}}}
		r.program[byPath] = []glob{globOf(tb, path)}
		r.seal()
		rules = append(rules, r)
	}
	set, findings := newSet(rules)
	require.Empty(tb, findings)
	return set
}

// subjects are fifty programs with four destinations each, as a busy host has them, and a tool with as many, half of them
// covered by no rule.
func subjects() []Subject {
	var all []Subject
	for j := range 8 {
		all = append(all, fetch(fmt.Sprintf("10.0.%d.9:%d", j, 443+j%2)))
	}
	for i := range 50 {
		for j := range 4 {
			s := implant()
			s.Process.Program.Path = fmt.Sprintf("/opt/app%d/bin/app", i)
			s.Targets = []Target{target(send.TCP, fmt.Sprintf("10.0.%d.%d:443", i, j+1))}
			all = append(all, s)
		}
	}
	return all
}

// round is the time of one verdict, over all subjects.
func round(set *Set, all []Subject, forget bool) time.Duration {
	begin := time.Now()
	for i := range all {
		if forget {
			clear(set.index.known)
		}
		set.Judge(&all[i])
	}
	return time.Since(begin) / time.Duration(len(all))
}

// TestManyRulesCostLittleMore interleaves both sizes and takes the best of each, so that a busy machine blurs no ratio.
func TestManyRulesCostLittleMore(t *testing.T) {
	all := subjects()
	for shape := range shapes {
		few, many := crowd(t, shape, 50), crowd(t, shape, 5000)
		best := map[string]time.Duration{}
		lookedUp := shape == "literal" || shape == "glob" // a program with 5 000 rules of its own must read them once
		for _, forget := range []bool{false, true} {
			for range 15 {
				if forget && !lookedUp {
					break
				}
				for name, set := range map[string]*Set{"few": few, "many": many} {
					key := fmt.Sprint(name, forget)
					if d := round(set, all, forget); best[key] == 0 || d < best[key] {
						best[key] = d
					}
				}
			}
		}
		known := float64(best["manyfalse"]) / float64(best["fewfalse"])
		t.Logf("%s: a verdict with 50 rules takes %v, with 5 000 %v", shape, best["fewfalse"], best["manyfalse"])
		require.LessOrEqual(t, known, 2.0, shape)
		if lookedUp {
			t.Logf("%s: on a program never seen %v and %v", shape, best["fewtrue"], best["manytrue"])
			require.LessOrEqual(t, float64(best["manytrue"])/float64(best["fewtrue"]), 2.0, "%s: looked up", shape)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{50, 5000} {
		for shape := range shapes {
			b.Run(fmt.Sprintf("%s/%d", shape, n), func(b *testing.B) {
				set, all := crowd(b, shape, n), subjects()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					set.Judge(&all[i%len(all)])
				}
			})
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	set := crowd(t, "literal", 10)
	s := implant()
	for i := range maxKnown + 10 {
		s.Process.Program.Path = fmt.Sprintf("/opt/x%d", i)
		set.Judge(&s)
		require.LessOrEqual(t, len(set.index.known), maxKnown)
	}
	for i := range maxTargets + 10 {
		s.Targets = []Target{target(send.TCP, fmt.Sprintf("10.1.%d.%d:443", i/250, i%250))}
		set.Judge(&s)
	}
	p := profileOf(&s)
	require.LessOrEqual(t, len(set.index.known[p].targets), maxTargets)
}

// BenchmarkDecode is what reading costs at the start and on SIGHUP: nearly all of it is the YAML library's.
func BenchmarkDecode(b *testing.B) {
	text := "rules:\n"
	for i := range 1000 {
		text += operatorRule(fmt.Sprintf("r%d", i), fmt.Sprintf("program: {path: /opt/app%d/bin/app}", i), "destinations: [{cidr: 10.0.0.0/8, port: 443}]", "period: 1m")
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		file, findings := decode("f.yaml", Operator, []byte(text))
		if len(file.rules) != 1000 || len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}
