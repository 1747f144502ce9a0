package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// capabilities that buy coverage, capabilities(7).
var capabilities = []struct {
	name   string
	bit    uint
	effect string
}{
	{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN, "buys the 8 MiB buffer for destroy notices; without it many short connections at once are lost and counted."},
	{"CAP_NET_RAW", unix.CAP_NET_RAW, "buys level L1: payload sizes of UDP, and the owners of most brief connections, where eBPF is refused."},
	{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE, "buys the owners of other users' sockets, together with CAP_DAC_READ_SEARCH; without it they stay unattributed."},
	{"CAP_DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH, "buys the owners of other users' sockets, together with CAP_SYS_PTRACE; without it they stay unattributed."},
}

// hostFindings looks at what the kernel and its configuration allow.
func hostFindings() []finding {
	found := []finding{{Name: "kernel", Value: kernelRelease(), OK: true}}
	effective := effectiveCapabilities()
	for _, c := range capabilities {
		has := effective>>c.bit&1 == 1
		found = append(found, finding{Name: c.name, Value: word(has, "present", "absent"), OK: has, Effect: c.name + " " + c.effect})
	}
	rmem := readNumber("/proc/sys/net/core/rmem_max")
	found = append(found, finding{Name: "net.core.rmem_max", Value: strconv.FormatUint(rmem, 10),
		OK: rmem >= 8<<20 || effective>>unix.CAP_NET_ADMIN&1 == 1, Effect: "net.core.rmem_max bounds the buffer for destroy notices where CAP_NET_ADMIN is absent."})
	hidden := procfs.New("").Hidden()
	found = append(found, finding{Name: "hidepid", Value: word(hidden, "hides processes", "off"), OK: !hidden,
		Effect: "hidepid hides other users' processes from a sensor without CAP_SYS_PTRACE: their sockets stay unattributed."})
	found = append(found, finding{Name: "cgroup", Value: cgroupVersion(), OK: true, Effect: "names units and containers."})
	found = append(found, finding{Name: "lockdown", Value: lockdown(), OK: true})
	return found
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// effectiveCapabilities is CapEff of /proc/self/status, proc_pid_status(5); 0 if it cannot be read.
func effectiveCapabilities() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if v, ok := bytes.CutPrefix(line, []byte("CapEff:")); ok {
			set, err := strconv.ParseUint(string(bytes.TrimSpace(v)), 16, 64)
			if err != nil {
				return 0
			}
			return set
		}
	}
	return 0
}

func readNumber(path string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// cgroupVersion is what is mounted, cgroups(7).
func cgroupVersion() string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	v1, v2 := bytes.Contains(mounts, []byte(" cgroup ")), bytes.Contains(mounts, []byte(" cgroup2 "))
	switch {
	case v1 && v2:
		return "v1 and v2 (hybrid)"
	case v2:
		return "v2"
	case v1:
		return "v1"
	}
	return "none mounted"
}

// lockdown is the mode in brackets of /sys/kernel/security/lockdown, kernel_lockdown(7).
func lockdown() string {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		return "not in this kernel"
	}
	if _, rest, ok := strings.Cut(string(text), "["); ok {
		if mode, _, ok := strings.Cut(rest, "]"); ok {
			return mode
		}
	}
	return fmt.Sprintf("%q", strings.TrimSpace(string(text)))
}

func word(v bool, yes, no string) string {
	if v {
		return yes
	}
	return no
}
