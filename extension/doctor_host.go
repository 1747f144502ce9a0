package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// capabilities that buy coverage, capabilities(7). One that another includes is as good as present.
var capabilities = []struct {
	name     string
	bit      uint
	includes uint
	effect   string
}{
	{"CAP_BPF", unix.CAP_BPF, unix.CAP_SYS_ADMIN, ebpfEffect},
	{"CAP_PERFMON", unix.CAP_PERFMON, unix.CAP_SYS_ADMIN, ebpfEffect},
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN, unix.CAP_SYS_ADMIN, "buys entry to other network namespaces; without it only eBPF tells of them, and /proc of their connections."},
	{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN, unix.CAP_NET_ADMIN, "buys the 8 MiB buffer for destroy notices and cgroup programs; without it many short connections at once are lost and counted."},
	{"CAP_NET_RAW", unix.CAP_NET_RAW, unix.CAP_NET_RAW, "buys level L1: payload sizes of UDP, and the owners of most brief connections, where eBPF is refused."},
	{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE, unix.CAP_SYS_PTRACE, ownersEffect},
	{"CAP_DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_READ_SEARCH, ownersEffect},
}

const (
	ebpfEffect   = "buys eBPF (levels L2 and L3): CAP_BPF and CAP_PERFMON together; CAP_SYS_ADMIN includes both."
	ownersEffect = "buys the owners of other users' sockets: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH together; without them they stay unattributed."
	bufferEffect = "holds a burst of connections that end; what does not fit is counted as a gap. Full size wants CAP_NET_ADMIN, or " +
		"net.core.rmem_max at 8388608."
)

// destroyBuffer is what the sensor asks for its notices of the end of connections (package sockdiag).
const destroyBuffer = 8 << 20

// hostFindings looks at what the kernel and its configuration allow.
func hostFindings() []finding {
	found := []finding{{Name: "kernel", Value: kernelRelease(), OK: true, Effect: "L3 wants Linux 6.3, L2 about 5.12, both BTF; L0 counts exact bytes from 4.19, before what was acknowledged."}}
	effective := effectiveCapabilities()
	for _, c := range capabilities {
		has := (effective>>c.bit|effective>>c.includes)&1 == 1
		found = append(found, finding{Name: c.name, Value: word(has, "present", "absent"), OK: has, Effect: c.effect})
	}
	forced := effective>>unix.CAP_NET_ADMIN&1 == 1
	most := readNumber("/proc/sys/net/core/rmem_max")
	got := min(most, destroyBuffer)
	if forced {
		got = destroyBuffer
	}
	_, _, locked := strings.Cut(lockdown(), "confidentiality")
	hidden := procfs.New("").Hidden()
	return append(found, processEvents(),
		finding{Name: "net.core.rmem_max", Value: fmt.Sprintf("%d of %d", most, destroyBuffer), OK: most >= destroyBuffer || forced, Effect: bufferEffect},
		finding{Name: "destroy notice buffer", Value: fmt.Sprintf("%d KiB", got>>10), OK: got == destroyBuffer, Effect: bufferEffect},
		finding{Name: "hidepid", Value: word(hidden, "hides processes", "off"), OK: !hidden,
			Effect: "hides other users' processes from a sensor without CAP_SYS_PTRACE: their sockets stay unattributed."},
		finding{Name: "cgroup", Value: cgroupVersion(), OK: cgroup2Root() != "",
			Effect: "version 2 buys where unconnected UDP sockets send to and who spoke first; any cgroup names units and containers."},
		finding{Name: "lockdown", Value: lockdown(), OK: !locked,
			Effect: "in confidentiality mode keeps eBPF from reading the kernel: levels L2 and L3 are refused."},
		otherNamespaces(effective>>unix.CAP_SYS_PTRACE&1 == 1), clock())
}

// otherNamespaces counts the network namespaces beside the sensor's own. What is refused to somebody who may read all there is, such as
// the init of a sandbox, nothing would buy.
func otherNamespaces(readsAll bool) finding {
	f := finding{Name: "network namespaces", OK: true, Effect: "are containers' as a rule; each that is entered costs a few sockets."}
	var scan procfs.NetNSScan
	all, err := procfs.New("").AppendNetNS(nil, 1<<16, &scan, new(procfs.Buffer))
	if err != nil {
		f.Value, f.OK = err.Error(), false
		return f
	}
	f.Value = fmt.Sprintf("%d besides our own", max(len(all)-1, 0))
	if scan.Refused == 0 {
		return f
	}
	f.Value = fmt.Sprintf("%s, PID %d does not show its own", f.Value, scan.RefusedPID)
	if scan.Refused > 1 {
		f.Value = fmt.Sprintf("%d besides our own, PID %d and %d more do not show theirs", max(len(all)-1, 0), scan.RefusedPID, scan.Refused-1)
	}
	if !readsAll {
		f.OK, f.Effect = false, "there may be more behind processes that do not show theirs; CAP_SYS_PTRACE buys them."
	}
	return f
}

// clock tells how finely the kernel dates what it counts (clock_getres(2)).
func clock() finding {
	f := finding{Name: "clock", OK: true, Effect: "L0 dates sends to one jiffy, L3 the last of a burst to two; single sends at L3 to the microsecond."}
	var tick unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &tick); err != nil {
		f.Value, f.OK = err.Error(), false
		return f
	}
	f.Value = "jiffy " + time.Duration(tick.Nano()).String()
	if source, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource"); err == nil {
		f.Value += ", " + strings.TrimSpace(string(source))
	}
	return f
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

// ordinary is said to whoever may not look at other users' processes, as namesAll tells.
const ordinary = "Without root's capabilities only processes of your own user are named; what they cost: " + binaryName + " doctor."

func namesAll() bool {
	const needed = 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_READ_SEARCH
	return effectiveCapabilities()&needed == needed
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
