package kernel

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

// levels from the plainest to the best.
var levels = []string{"none", "proc", "L0", "L1", "L2", "L3"}

// leastOf is the level that a stock kernel of Debian must reach with its modules loaded. They all have BTF; 6.1 lacks only
// tp_btf/sock_send_length, and before 5.12 programs of eBPF on tracepoints get no socket cookie.
func leastOf(release string) string {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err == nil && (major < 5 || major == 5 && minor < 12) {
		return "L1"
	}
	return "L2"
}

// atLeast reports whether a level is as good as another. An unknown one is worse than all.
func atLeast(level, other string) bool {
	return slices.Index(levels, level) >= slices.Index(levels, other)
}

// verdict says what a report falls short of, in sentences. How much is demanded depends on the level the sensor says it
// has reached and, for another namespace, on whether it says that it watches it.
func verdict(r figures.Report) []string {
	var short []string
	note := func(format string, a ...any) { short = append(short, fmt.Sprintf(format, a...)) }
	if r.Problem != "" {
		note("the guest could not finish: %s", r.Problem)
	}
	if level, least := r.Full.Level(), leastOf(r.Release); !atLeast(level, least) {
		note("level %q is below %s: %s", level, least, r.Full.Status["level_reason"])
	}
	switch bare := r.Bare.Level(); {
	case !atLeast(bare, "proc"):
		note("without the sock_diag modules the level is %q", bare)
	case bare == "proc" && r.Bare.Status["level_reason"] == "":
		note("without the sock_diag modules the sensor does not say what it lacks")
	}
	var unowned uint64
	for _, t := range r.Trials {
		unowned += t.Reported.Connections - t.Owned.Connections
		for _, demand := range demands(t, r.Full) {
			if reason := demand(t); reason != "" {
				note("%s: %s", t.Name, reason)
			}
		}
	}
	if told, err := strconv.ParseUint(r.Full.Status["unattributed_sends"], 10, 64); err != nil || told < unowned {
		note("%d connections have no program, but unattributed_sends is %q", unowned, r.Full.Status["unattributed_sends"])
	}
	if len(r.Trials) == 0 {
		note("no trial was held")
	}
	return short
}

// demand says what a trial falls short of, or nothing.
type demand func(figures.Trial) string

// demands are what must be true of a trial at the sensor's level.
func demands(t figures.Trial, s figures.Standing) []demand {
	level := s.Level()
	events, counters := atLeast(level, "L2"), atLeast(level, "L0")
	switch {
	case t.Protocol == "vsock":
		return []demand{noMore, unseen}
	case t.Protocol != "tcp" && atLeast(level, "L3"):
		return []demand{noMore, allReported, allOwned}
	case t.Protocol != "tcp": // no byte counters
		return []demand{noMore}
	case events, counters && t.Lasting:
		return []demand{noMore, allReported, allOwned}
	case t.NetNS != "" && !s.Covers(t.NetNS): // the sensor says it does not watch it
		return []demand{noMore}
	case counters && !t.Resets: // a RST erases the last tcp_info
		return []demand{noMore, allReported}
	}
	return []demand{noMore}
}

// noMore demands that nothing is counted twice, and nothing lost on the way.
func noMore(t figures.Trial) string {
	switch {
	case t.Arrived.Bytes != t.Sent.Bytes:
		return fmt.Sprintf("%d B arrived of %d sent", t.Arrived.Bytes, t.Sent.Bytes)
	case t.Reported.Bytes > t.Sent.Bytes, t.Protocol == "tcp" && t.Reported.Connections > t.Sent.Connections:
		return "too much: " + shortfall(t.Reported, t.Sent, "reported")
	}
	return ""
}

// allReported demands every connection and every byte.
func allReported(t figures.Trial) string {
	if t.AllOf(t.Reported) {
		return ""
	}
	return shortfall(t.Reported, t.Sent, "reported")
}

// allOwned demands that all of it is in rows of the program that sent it.
func allOwned(t figures.Trial) string {
	if t.AllOf(t.Owned) {
		return ""
	}
	return shortfall(t.Owned, t.Sent, "attributed")
}

// unseen demands that nothing is reported of what no level claims to see.
func unseen(t figures.Trial) string {
	if t.Reported == (figures.Count{}) {
		return ""
	}
	return "doctor says it is not seen, but: " + shortfall(t.Reported, t.Sent, "reported")
}

func shortfall(got, want figures.Count, what string) string {
	return fmt.Sprintf("%d connections and %d B %s of %d and %d sent", got.Connections, got.Bytes, what, want.Connections, want.Bytes)
}
