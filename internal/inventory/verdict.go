package inventory

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Verdict is what the inventory says of a subject.
type Verdict struct {
	// NetworkFacing: 1, this program's purpose includes talking; 0, it is known not to, or a tool that does what it is told;
	// -1, nobody has said. Expected: 1, a rule covers program, destination and period; 0, none does; -1, there is no program
	// to judge.
	NetworkFacing, Expected int8
	Severity                Severity
	// Suspicions are sorted by weight, the heaviest first; Weight is their sum.
	Suspicions []Word
	Weight     int
	// Codes are the suspicions and the words that weigh nothing, sorted.
	Codes []Code
	// Rule and Source name the rule that decided; "" and None where none did.
	Rule   string
	Source Source
	// Reason says in a sentence why.
	Reason string
}

// SuspicionList writes the suspicions with their weights, as in the suspicions column: "no_package=2,new_program=1".
func (v *Verdict) SuspicionList() string {
	var b strings.Builder
	for i, w := range v.Suspicions {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(w.Code) + "=" + strconv.Itoa(w.Weight))
	}
	return b.String()
}

// Judge says what the inventory knows about s, and grades it. It may be called concurrently.
func (set *Set) Judge(s *Subject) Verdict {
	v := Verdict{NetworkFacing: -1, Expected: -1, Source: None}
	if !s.Process.Program.Attributed() {
		v.weigh([]Code{Unattributed}, rhythmOf(s.Rhythm), observations(s))
		v.Reason = "not judged: " + word(Unattributed).Meaning
		return v
	}
	f := set.decide(s)
	v.Expected, v.NetworkFacing = 0, f.facing()
	if f.covered || slices.Contains(f.codes, RuledOut) {
		v.Rule, v.Source = f.rule.Name, f.rule.Source
		f.rule.lastUsed.Store(s.Now.Unix())
	}
	codes := append(suspicions(s), f.codes...)
	if f.covered {
		v.Expected = 1
	} else {
		if v.NetworkFacing == 0 && f.tool && !packagedScript(s) {
			codes = append(codes, GeneralPurposeTool)
		}
		if entry := set.alikes.of(s); entry != "" && f.none {
			codes = append(codes, NameAlike)
		}
	}
	v.weigh(codes, rhythmOf(s.Rhythm), observations(s))
	v.Reason = f.sentence(&v)
	return v
}

// packagedScript reports whether the interpreter runs a script that a package vouches for.
func packagedScript(s *Subject) bool {
	return isScriptFile(s.Process.Program.Script) && s.Facts.ScriptPackage != "" && !s.Facts.ScriptAltered
}

// weigh fills the verdict from codes. Observations are added last: they can change nothing.
func (v *Verdict) weigh(codes []Code, r rhythm, observed []Code) {
	slices.Sort(codes)
	for _, c := range slices.Compact(codes) {
		w := word(c)
		v.Codes = append(v.Codes, c)
		if w.Weight > 0 {
			v.Suspicions = append(v.Suspicions, w)
			v.Weight += w.Weight
		}
	}
	slices.SortStableFunc(v.Suspicions, func(a, b Word) int { return cmp.Compare(b.Weight, a.Weight) })
	heaviest := 0
	if len(v.Suspicions) > 0 {
		heaviest = v.Suspicions[0].Weight
	}
	v.Severity = grade(v.Expected == 1, r, v.Weight, heaviest)
	v.Codes = append(v.Codes, observed...)
	slices.Sort(v.Codes)
}

// observations are what was merely seen of the program.
func observations(s *Subject) []Code {
	var found []Code
	for _, o := range [...]struct {
		code Code
		is   bool
	}{
		{InContainer, s.Process.ContainerID != ""},
		{Listens, s.Listens},
		{ManyPeers, s.Peers >= manyPeers},
		{LongKnown, !s.First.IsZero() && s.Last.Sub(s.First) >= longKnown},
		{SizesCiphertext, s.ciphertext()},
	} {
		if o.is {
			found = append(found, o.code)
		}
	}
	return found
}
