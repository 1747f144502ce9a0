package inventory

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// disqualifying are the suspicions that no rule survives unless it says that it tolerates them: each means that the path
// does not say what runs.
var disqualifying = []Code{MemfdExecutable, DeletedExecutable, AlteredExecutable, MountedOver, Preload}

// objection is why a rule that names a program does not speak for this process: a suspicion, and a sentence.
type objection struct {
	code Code
	text string
}

// objects returns why the rule does not speak for the process; nil if it does.
func (r *Rule) objects(s *Subject) *objection {
	if r.Unexpected || s.kernel() {
		return nil
	}
	if generalPurpose(s.Process.Program.Path) && !r.trusts() {
		return &objection{GeneralPurposeTool, "it names neither the script nor the destination of a general-purpose tool"}
	}
	if o := r.disqualified(s); o != nil {
		return o
	}
	if r.Source == Operator {
		return nil
	}
	return r.unverified(s)
}

// disqualified looks for what no rule survives.
func (r *Rule) disqualified(s *Subject) *objection {
	f := &s.Facts
	holds := [...]bool{s.memfd(), s.deleted(), f.Altered || f.ScriptAltered,
		s.foreign() && !r.namesContainer(), f.Preload}
	for i, code := range disqualifying {
		if holds[i] && !slices.Contains(r.tolerates, code) {
			return &objection{code, word(code).Meaning}
		}
	}
	if len(r.program[byPath]) == 0 && len(r.program[bySHA256]) == 0 && openDirectory(s.Process.Program.Path) {
		return &objection{WorldWritablePath, "it names no file, and " + word(WorldWritablePath).Meaning}
	}
	return nil
}

// namesContainer reports whether the rule says which container it means, so that its path is not one of the host.
func (r *Rule) namesContainer() bool {
	return len(r.program[byCgroup]) > 0 || len(r.program[byImage]) > 0 || len(r.program[byContainer]) > 0
}

// unverified checks that the process is what a shipped entry means, so that nothing can borrow the entry by its name: the
// executable belongs to a package that vouches for it, or lies where only root can put it and has been there since before
// the beacon; and it runs as the user it should.
func (r *Rule) unverified(s *Subject) *objection {
	f := &s.Facts
	if s.Unexaminable || !f.Examined || !f.EnvironRead {
		return &objection{NotExamined, word(NotExamined).Meaning}
	}
	if users := r.program[byUser]; len(users) > 0 && !fitsOne(users, profileOf(s)[byUser]) {
		return &objection{NotVerified, fmt.Sprintf("it runs as %s instead of %s", user(s), listed(users))}
	}
	if o := r.vouched(s, f.Package, f.Intact, f.Protected, "its executable"); o != nil {
		return o
	}
	if !isScriptFile(s.Process.Program.Script) {
		return nil
	}
	return r.vouched(s, f.ScriptPackage, f.ScriptIntact, f.ScriptProtected, "its script")
}

// vouched checks one file of the process.
func (r *Rule) vouched(s *Subject, pkg string, intact, protected bool, what string) *objection {
	script := what == "its script"
	packages := r.program[byPackage]
	switch {
	case pkg != "" && intact:
		// the interpreter of a script belongs to a package of its own
		if len(packages) > 0 && (script || len(r.program[byScript]) == 0) && !fitsOne(packages, [2]string{pkg}) {
			return &objection{NotVerified, fmt.Sprintf("%s belongs to the package %s instead of %s", what, pkg, listed(packages))}
		}
		return nil
	case !protected:
		return &objection{NotVerified, what + " belongs to no package that vouches for it, and others than root can replace it"}
	case !script && !r.updates && !s.First.IsZero() && s.Facts.Changed.After(s.First):
		return &objection{YoungerThanBeacon, what + " belongs to no package that vouches for it, and has changed since the beacon began"}
	}
	return nil
}

func user(s *Subject) string {
	if s.Process.Username != "" {
		return s.Process.Username
	}
	return fmt.Sprintf("user %d", s.Process.Program.UID)
}

func listed(globs []glob) string {
	return strings.Join(named(globs, func(g glob) string { return g.text }), " or ")
}

// alikes are the names of the programs that shipped entries are about, for what only has the name of one.
type alikes map[string]string // name of the executable to that of the entry

// commonNames are names of known programs that say nothing, because anybody would call a program so.
var commonNames = namesOf("agent", "http", "https", "smtp", "code", "teams", "vector", "alloy")

func (a alikes) add(r *Rule) {
	for _, g := range r.program[byPath] {
		name := path.Base(g.text)
		if !strings.ContainsAny(name, "*?") && !generalPurpose(name) && !commonNames[name] && name != "[kernel]" {
			a[name] = r.Name
		}
	}
	for _, g := range r.program[byScript] {
		if g.literal && isScriptFile(g.text) {
			a[path.Base(g.text)] = r.Name
		}
	}
}

// commLength is what the kernel keeps of a name, TASK_COMM_LEN of linux/sched.h less the zero.
const commLength = 15

// of returns the entry whose program the process is called after, by file or by the name it shows.
func (a alikes) of(s *Subject) string {
	for _, name := range [...]string{baseName(s.Process.Program.Path), path.Base(s.Process.Program.Script)} {
		if entry, ok := a[name]; ok {
			return entry
		}
	}
	if len(s.Process.Name) < commLength {
		return a[s.Process.Name]
	}
	return ""
}
