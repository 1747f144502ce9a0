package inventory

import (
	"strings"
	"time"
)

const (
	// Recent is for how long a file, a program or a destination is new.
	Recent = 7 * 24 * time.Hour
	// manyPeers and longKnown are when an observation is worth a code.
	manyPeers = 50
	longKnown = 7 * 24 * time.Hour
)

// suspicions returns what speaks against the process itself, whatever the rules say.
func suspicions(s *Subject) []Code {
	var found []Code
	note := func(c Code, is bool) {
		if is {
			found = append(found, c)
		}
	}
	file(s, note)
	lineage(s, note)
	note(KernelThreadName, !s.kernel() && pretendsKernel(s))
	note(InlineCode, isInline(s.Process.Program.Path, s.Process.Program.Script))
	note(NewDestination, s.NewDestination)
	return found
}

// file judges the executable, and the script an interpreter runs.
func file(s *Subject, note func(Code, bool)) {
	f, p := &s.Facts, &s.Process.Program
	path := strings.TrimSuffix(p.Path, deletedSuffix)
	note(MemfdExecutable, s.memfd())
	note(DeletedExecutable, s.deleted())
	note(WorldWritablePath, openDirectory(path) || openDirectory(p.Script))
	note(HiddenPath, hidden(path) || hidden(p.Script))
	if s.kernel() || s.Unexaminable {
		return
	}
	if !f.Examined {
		note(NotExamined, true)
		return
	}
	script := isScriptFile(p.Script)
	packaged := f.Package != "" && (!script || f.ScriptPackage != "")
	vouched := f.Intact && (!script || f.ScriptIntact)
	note(AlteredExecutable, f.Altered || f.ScriptAltered)
	over := f.Elsewhere && s.Process.ContainerID == "" && !s.deleted() && !s.memfd()
	note(MountedOver, over)
	note(Preload, f.Preload)
	note(SelfWritable, f.SelfWritable)
	note(NoPackage, !packaged && (f.PackageKnown || f.Elsewhere) && !s.memfd() && !over) // there no package can be looked up
	newness(s, vouched, note)
}

// newness tells the strongest of what says that the program is new: all of it comes of one installation. What runs from memory has
// no file that could be young.
func newness(s *Subject, vouched bool, note func(Code, bool)) {
	f, changed := &s.Facts, s.Facts.Changed
	if s.memfd() {
		changed = time.Time{}
	}
	within := func(t time.Time) bool { return !t.IsZero() && s.Now.Sub(t) < Recent }
	switch {
	case !vouched && !s.First.IsZero() && changed.After(s.First):
		note(YoungerThanBeacon, true)
	case s.NewProgram || !vouched && !f.Initial && within(f.FirstSeen):
		note(NewProgram, true)
	default:
		note(RecentExecutable, !vouched && within(changed))
	}
}

// kernelThreads are how the names of kernel threads begin (ps(1) shows them in brackets).
var kernelThreads = []string{"kworker", "kthreadd", "ksoftirqd", "migration/", "rcu_", "rcuop", "rcuob", "kswapd", "khugepaged",
	"kcompactd", "kdevtmpfs", "kauditd", "khungtaskd", "kintegrityd", "kblockd", "kthrotld", "kstrp", "cpuhp/", "watchdogd",
	"watchdog/", "jbd2/", "ext4-rsv", "xfsaild", "xfs-", "scsi_eh", "scsi_tmf", "irq/", "idle_inject", "oom_reaper",
	"writeback", "kmpath", "ipv6_addrconf", "mm_percpu_wq", "slub_flushwq", "inet_frag_wq"}

// pretendsKernel reports whether a process with an executable is named as a kernel thread: in brackets as the first word of
// its command line, by the short name it shows, or by a file that no package knows.
func pretendsKernel(s *Subject) bool {
	p, file := &s.Process, baseName(s.Process.Program.Path)
	shown, _, _ := strings.Cut(p.Cmdline, " ")
	if inner, bracketed := strings.CutPrefix(shown, "["); bracketed && startsLikeKernel(strings.TrimSuffix(inner, "]")) {
		return true
	}
	if startsLikeKernel(file) { // a packaged program may honestly be called kauditd-collector
		return s.Facts.PackageKnown && s.Facts.Package == ""
	}
	return startsLikeKernel(p.Name)
}

func startsLikeKernel(name string) bool {
	return fits(kernelThreads, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
