package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestAProcessThatLiesAboutItself: it calls itself a thread of the kernel, by its name and by its first argument, and its other
// arguments are 4 096 bytes that clear a terminal and are no text. Its executable is told all the same, the lie is held against
// it, and no table passes on a byte that cannot be printed.
func TestAProcessThatLiesAboutItself(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	a := newActor(t, host, "honest-path")
	a.argv0, a.arguments = "[kthreadd]", []string{strings.Repeat("\x1b\xff", 2048)}
	c := a.send(t, part{Name: "kworker/0:1", SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 300 * time.Millisecond, Size: 151, Count: 12, For: lifetime}})
	require.Eventually(t, func() bool { return len(sentBy(t, c)) > 0 }, patience, 10*time.Millisecond)
	comm, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid()) + "/comm")
	require.NoError(t, err)
	require.Equal(t, "kworker/0:1\n", string(comm))
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid()) + "/cmdline")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(cmdline), "[kthreadd]\x00\x1b\xff\x1b\xff"))
	require.Greater(t, len(cmdline), 4096)
	a.finish(t, lifetime)

	candidate := awaitBeats(t, s, a.path, 12)
	require.Contains(t, candidate["suspicions"], "kernel_thread_name")
	require.Greater(t, number(t, candidate, "score"), 0.5)
	require.NotEqual(t, "1", candidate["expected"])
	for _, table := range []string{"beacon_candidates", "process_outbound_stats", "process_send_history", "process_network_baseline"} {
		rows := ask(t, s, "SELECT * FROM "+table+" WHERE pid = "+strconv.Itoa(c.pid()))
		require.NotEmpty(t, rows, table)
		for _, r := range rows {
			require.Equal(t, a.path, r["path"], table)
			require.Equal(t, "kworker/0:1", r["name"], table)
			require.True(t, strings.HasPrefix(r["cmdline"], "[kthreadd] "), "%s: %q", table, r["cmdline"])
			require.Greater(t, len(r["cmdline"]), 2048, table)
			require.LessOrEqual(t, len(r["cmdline"]), 4096, table)
			for column, value := range r {
				require.True(t, utf8.ValidString(value), "%s.%s: %q", table, column, value)
				for _, c := range value {
					require.True(t, unicode.IsPrint(c), "%s.%s: %q", table, column, value)
				}
			}
		}
	}
}
