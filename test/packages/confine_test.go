package packages

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// unitSettings are the lines of a unit by key; a key may stand several times.
func unitSettings(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	settings := map[string][]string{}
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if key, value, ok := strings.Cut(scan.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings, nil
}

// capabilities by name, linux/capability.h.
var capabilities = map[string]uintptr{"CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN,
	"CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN,
	"CAP_BPF": unix.CAP_BPF, "CAP_PERFMON": unix.CAP_PERFMON}

// addressFamilies by name, linux/socket.h.
var addressFamilies = map[string]uint64{"AF_UNIX": unix.AF_UNIX, "AF_NETLINK": unix.AF_NETLINK, "AF_PACKET": unix.AF_PACKET}

// runConfined puts this process into groups, and under the limits, capabilities, address families and system calls that a unit
// allows, then executes args in its place. It returns only if that fails.
func runConfined(unit string, groups, args []string) error {
	settings, err := unitSettings(unit)
	if err != nil {
		return err
	}
	if err := join(groups); err != nil {
		return err
	}
	if err := limit(settings); err != nil {
		return err
	}
	if err := bound(strings.Fields(strings.Join(settings["CapabilityBoundingSet"], " "))); err != nil {
		return err
	}
	allowed, err := systemCalls(settings["SystemCallFilter"])
	if err != nil {
		return err
	}
	families := strings.Fields(strings.Join(settings["RestrictAddressFamilies"], " "))
	if err := filter(allowed, families); err != nil {
		return err
	}
	return unix.Exec(args[0], args, os.Environ())
}

// bound drops every capability that is not named, from the bounding set and so at the next execve(2).
func bound(keep []string) error {
	var kept []uintptr
	for _, name := range keep {
		c, known := capabilities[name]
		if !known {
			return fmt.Errorf("%s is a capability this test does not know", name)
		}
		kept = append(kept, c)
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if slices.Contains(kept, c) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}

// systemCalls resolves the lines of SystemCallFilter, groups by the words of the systemd installed here.
func systemCalls(lines []string) ([]string, error) {
	allowed := map[string]bool{}
	for _, line := range lines {
		line, denied := strings.CutPrefix(line, "~")
		for _, word := range strings.Fields(line) {
			names, err := systemCallGroup(word)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				allowed[name] = !denied
			}
		}
	}
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	var known []string
	for name, yes := range allowed {
		if _, exists := info.SyscallNames[name]; exists && yes {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	return known, nil
}

// systemCallGroup lists the system calls of a group such as @system-service, or the one named.
func systemCallGroup(word string) ([]string, error) {
	if !strings.HasPrefix(word, "@") {
		return []string{word}, nil
	}
	out, err := exec.Command("systemd-analyze", "syscall-filter", word).Output()
	if err != nil {
		return nil, fmt.Errorf("systemd-analyze syscall-filter %s: %w", word, err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line == "" || line == word || strings.HasPrefix(line, "#") {
			continue
		}
		inner, err := systemCallGroup(line)
		if err != nil {
			return nil, err
		}
		names = append(names, inner...)
	}
	return names, nil
}

// filter allows the system calls named, and of socket(2) the families named; everything else fails with EPERM.
func filter(allowed, families []string) error {
	allowed = slices.DeleteFunc(allowed, func(name string) bool { return name == "socket" })
	if !slices.Contains(allowed, "execve") {
		allowed = append(allowed, "execve") // systemd executes before it filters; we cannot
	}
	var sockets []seccomp.NameWithConditions
	for _, name := range families {
		family, known := addressFamilies[name]
		if !known {
			return fmt.Errorf("%s is an address family this test does not know", name)
		}
		sockets = append(sockets, seccomp.NameWithConditions{Name: "socket",
			Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: family}}})
	}
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: allowed},
			{Action: seccomp.ActionAllow, NamesWithCondtions: sockets},
		}}})
}
