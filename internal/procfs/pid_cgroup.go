package procfs

import (
	"bytes"
	"os"
	"strings"
)

// Cgroup returns the control group of the process, from /proc/PID/cgroup, cgroups(7). A host may have several
// hierarchies: the unified one (version 2) counts, then that of systemd, then the longest path of version 1, each only if
// it says more than the root does. A path that prefers says yes to counts before the others: beside version 1 a container may
// have its group there, and be in its runtime's in the unified hierarchy. In version 1 the kernel shows a process that is
// exiting as in the root (proc_cgroup_show).
func (p PID) Cgroup(b *Buffer, prefers func(path string) bool) (string, error) {
	text, err := p.read("cgroup", b)
	if err != nil {
		return "", err
	}
	return parseCgroup(text, prefers), nil
}

// Unified reports whether the unified hierarchy is the only one, so that it alone says where processes are.
func (fs FS) Unified() bool {
	text, err := os.ReadFile(fs.path("self", "cgroup"))
	return err == nil && bytes.HasPrefix(text, []byte("0::")) && bytes.Count(text, []byte{'\n'}) == 1
}

// parseCgroup chooses among lines of "hierarchy:controllers:path". A path seen from inside another cgroup namespace starts
// with "/..", which is dropped.
func parseCgroup(text []byte, prefers func(path string) bool) string {
	var unified, systemd, longest string
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		hierarchy, rest, ok := strings.Cut(string(line), ":")
		if !ok {
			continue
		}
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok || !strings.HasPrefix(path, "/") {
			continue
		}
		for strings.HasPrefix(path, "/../") {
			path = path[3:]
		}
		switch {
		case hierarchy == "0" && controllers == "":
			unified = path
		case controllers == "name=systemd":
			systemd = path
		case len(path) > len(longest):
			longest = path
		}
	}
	chosen := "/"
	for _, path := range []string{longest, systemd, unified} {
		if len(path) > 1 && path != "/.." && (!prefers(chosen) || prefers(path)) {
			chosen = path
		}
	}
	return chosen
}
