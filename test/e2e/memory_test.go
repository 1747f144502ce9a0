package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// ceiling is the resident memory that a sensor with the default configuration keeps to, in KiB.
const ceiling = 90 << 10

// watchdog is how much more than when it started a process may have resident under osquery's watchdog at its restrictive level, in
// KiB: its 100 MB are MiB. The sensor stays below that in all.
const watchdog = 100 << 10

// memoryOf reads a line of /proc/PID/status in KiB: VmRSS is the resident memory now, VmHWM the most there ever was, proc(5).
func memoryOf(t require.TestingT, pid int, line string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "\n"+line+":")
	require.True(t, found, line)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kib
}

// fullState writes a state directory as a sensor leaves it that holds so many pairs with full rings, of 100 programs.
func fullState(t *testing.T, dir string, pairs, bursts int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	store, err := history.New(history.Config{MaxPairs: pairs, MaxBursts: bursts, MaxBytes: 1 << 30})
	require.NoError(t, err)
	began := boottime.Now().Add(-time.Duration(bursts) * time.Minute)
	for i := range bursts + 1 {
		for p := range pairs {
			store.Record(&history.Key{Program: process.Program{Path: fmt.Sprintf("/usr/lib/vendor/agent-%d", p%100), UID: 1000,
				Workload: "system.slice/vendor-agent.service"}}, process.ID{PID: int32(1<<22 + p%500), StartTicks: 1},
				&send.Send{Kind: send.Data, At: began.Add(time.Duration(i)*time.Minute + time.Duration(p)*time.Millisecond), Bytes: 151, Sends: 1,
					Socket: send.Socket{Cookie: uint64(p + 1), Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:40000"),
						Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(p >> 8), byte(p)}), 443)}})
		}
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	h, err := checkpoint.NewHistories(checkpoint.HistoriesConfig{Store: store, Boot: strings.TrimSpace(string(boot)), Offset: boottime.System().Offset,
		Known: func(id process.ID) (checkpoint.Known, bool) {
			return checkpoint.Known{Info: process.Info{Name: "agent", Cmdline: "/usr/lib/vendor/agent --config /etc/vendor/agent.conf --id " + strconv.Itoa(int(id.PID)),
				ParentPath: "/usr/lib/systemd/systemd", Username: "vendor"},
				Facts: process.Facts{Examined: true, PackageKnown: true, Package: "vendor-agent"}}, true
		}})
	require.NoError(t, err)
	require.NoError(t, h.Load(filepath.Join(dir, "histories")))
	require.NoError(t, h.Save())
}

// TestFullHistoriesKeepToTheCeiling: a sensor starts with as many full pairs as it may ever have, all of them candidates, at the
// level that takes the most memory. It gives up what does not fit, by halves and in order, and then stays below the ceiling,
// while it ranks, saves and answers. What it then leaves another one takes over without ever having more than osquery's watchdog
// allows.
func TestFullHistoriesKeepToTheCeiling(t *testing.T) {
	host, _ := network(t)
	dir := room(t)
	fullState(t, filepath.Join(dir, "state"), 10_000, 256)
	s := startSensor(t, host, dir, "--level", "L3", "--checkpoint_interval", "5s")
	awaitRanked(t, s)
	below := 0
	require.Eventually(t, func() bool {
		if below++; memoryOf(t, s.pid(), "VmRSS") > ceiling {
			below = 0
		}
		return below >= 20
	}, time.Minute, 250*time.Millisecond)
	row := one(t, s, "SELECT tracked_pairs, max_pairs, evictions, halved_series, history_size, max_history_size FROM beacon_sensor_status")
	t.Logf("resident %d KiB, at most %d KiB at the start; %v", memoryOf(t, s.pid(), "VmRSS"), memoryOf(t, s.pid(), "VmHWM"), row)
	require.Greater(t, number(t, row, "halved_series"), 0.)
	require.Greater(t, number(t, row, "tracked_pairs"), 4000.)
	require.LessOrEqual(t, number(t, row, "history_size"), number(t, row, "max_history_size"))
	require.Less(t, memoryOf(t, s.pid(), "VmHWM"), watchdog*5/4, "SECURITY.md says by how much and how long")
	require.Zero(t, s.stop(t))

	s = startSensor(t, host, dir, "--level", "L3", "--checkpoint_interval", "5s")
	awaitRanked(t, s)
	awaitSaved(t, s, savedAt(t, s))
	t.Logf("resident %d KiB, at most %d KiB after it has taken over", memoryOf(t, s.pid(), "VmRSS"), memoryOf(t, s.pid(), "VmHWM"))
	require.Less(t, memoryOf(t, s.pid(), "VmHWM"), watchdog)
}

// awaitRanked waits until the programs of fullState are candidates.
func awaitRanked(t *testing.T, s *sensor) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT count(score) AS n FROM beacon_candidates WHERE path = '/usr/lib/vendor/agent-1'")
		require.Greater(c, number(c, row, "n"), 20.)
	}, time.Minute, 500*time.Millisecond)
}
