package procfs

import (
	"bytes"
	"strings"
)

// Cgroup returns the control group of the process, from /proc/PID/cgroup, cgroups(7). A host may have several
// hierarchies: the unified one (version 2) counts, then that of systemd, then the longest path of version 1, each only if
// it says more than the root does. In version 1 the kernel shows a process that is exiting as in the root (proc_cgroup_show).
func (p PID) Cgroup(b *Buffer) (string, error) {
	text, err := p.read("cgroup", b)
	if err != nil {
		return "", err
	}
	return parseCgroup(text), nil
}

// parseCgroup chooses among lines of "hierarchy:controllers:path". A path seen from inside another cgroup namespace starts
// with "/..", which is dropped.
func parseCgroup(text []byte) string {
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
	for _, path := range []string{unified, systemd, longest} {
		if len(path) > 1 && path != "/.." {
			return path
		}
	}
	return "/"
}
