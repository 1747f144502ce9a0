package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// writeConfig writes a configuration file into a directory of its own.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(room(t), "beaconwatch.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestConfigurationIsRefusedWhole: whoever mistypes a key learns where, and nothing starts.
func TestConfigurationIsRefusedWhole(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, says string }{
		{"unknown key", "role: web\n  \nmax_pears: 10\n", ":3:1: "},
		{"bad value", "role: web\nmin_beats: 2\n", "min_beats is 2"},
		{"bad duration", "sample_period: fast\n", `"fast" is not a duration`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeConfig(t, test.text)
			for _, command := range [][]string{nil, {"query", "SELECT 1"}, {"config", "check"}} {
				c, code := run(t, nil, append(command, append(placeIn(room(t)), "--config", path)...)...)
				require.Equal(t, 2, code)
				require.Contains(t, c.errors.String(), test.says)
				require.True(t, strings.HasPrefix(c.errors.String(), "beaconwatch.ext: configuration"), c.errors)
				require.Empty(t, c.out.String())
			}
		})
	}
}

// TestConfigurationShowsInTheTables: its hash and role in the status row, its redaction in command lines.
func TestConfigurationShowsInTheTables(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	path := writeConfig(t, "role: web server\nmin_beats: 5\n")
	s := startSensor(t, host, dir, "--config", path)
	status := one(t, s, "SELECT config_hash, role FROM beacon_sensor_status")
	require.Len(t, status["config_hash"], 64)
	require.Equal(t, "web server", status["role"])
	check, code := run(t, nil, append(placeIn(dir), "config", "check", "--config", path)...)
	require.Zero(t, code, check.errors)
	require.Contains(t, check.out.String(), status["config_hash"])

	a := newActor(t, host, "secretive")
	a.arguments = []string{"--token", "hunter2", "--url=https://me:swordfish@example.org/x"}
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 300 * time.Millisecond, Size: 50, Count: 4, For: time.Minute}})
	a.finish(t, patience)
	awaitBytes(t, s, a.path, 4*50)
	cmdline := one(t, s, "SELECT cmdline FROM process_outbound_stats WHERE path = "+quoted(a.path))["cmdline"]
	require.Contains(t, cmdline, "--token")
	require.Contains(t, cmdline, "example.org")
	require.NotContains(t, cmdline, "hunter2")
	require.NotContains(t, cmdline, "swordfish")

	require.Zero(t, s.stop(t))
	again := startSensor(t, host, dir, "--config", path, "--min_beats", "6")
	require.NotEqual(t, status["config_hash"], one(t, again, "SELECT config_hash FROM beacon_sensor_status")["config_hash"])
}

// TestFlags: what osquery passes is accepted, anything else is not.
func TestFlags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, 0, ""},
		{"version", []string{"version"}, 0, ""},
		{"unknown flag", []string{"--colour"}, 2, "unknown flag: --colour"},
		{"unknown command", []string{"dance"}, 2, `unknown command "dance"`},
		{"no seconds", []string{"--timeout", "0"}, 2, "at least 1 second"},
		{"long socket", []string{"--socket", "/" + strings.Repeat("x", 97)}, 2, "98 characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, code := run(t, nil, test.args...)
			require.Equal(t, test.code, code)
			require.Contains(t, c.errors.String(), test.says)
			require.Equal(t, test.code == 0, c.out.String() != "")
		})
	}
}

// TestConfigurationIsReadAgainOnSIGHUP: another configuration takes effect in the same process, which keeps its histories and leaves
// nothing open behind; a mistake changes nothing.
func TestConfigurationIsReadAgainOnSIGHUP(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	path := writeConfig(t, "role: web server\n")
	s := startSensor(t, host, room(t), attentive, "--config", path)
	a := newActor(t, host, "agentd")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 300 * time.Millisecond, Size: 151, Count: 300, For: lifetime}})
	status := func() map[string]string {
		return one(t, s, "SELECT pid, config_hash, role, last_error, goroutines, json_extract(config, '$.min_beats') AS min_beats FROM beacon_sensor_status")
	}
	awaitBeats := func(least int) {
		t.Helper()
		require.Eventually(t, func() bool {
			return len(ask(t, s, fmt.Sprintf("SELECT 1 FROM beacon_candidates WHERE beats >= %d AND path = %s", least, quoted(a.path)))) > 0
		}, patience, 100*time.Millisecond)
	}
	awaitBeats(10)
	firstSeen := "SELECT first_seen FROM beacon_candidates WHERE path = " + quoted(a.path)
	before, descriptors, first := status(), openDescriptors(t, s.pid()), one(t, s, firstSeen)["first_seen"]
	put := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, syscall.Kill(s.pid(), syscall.SIGHUP))
	}

	put("role: web server\nmin_bets: 7\n")
	require.Eventually(t, func() bool { return strings.Contains(status()["last_error"], "min_bets") }, patience, 50*time.Millisecond)
	require.Equal(t, before["config_hash"], status()["config_hash"])

	for i, role := range []string{"database server", "bastion", "ci runner"} {
		put(fmt.Sprintf("role: %s\nmin_beats: %d\n", role, 7+i))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.Equal(c, role, one(c, s, "SELECT role FROM beacon_sensor_status")["role"]) // its socket is away for a moment
		}, patience, 50*time.Millisecond)
	}
	after := status()
	require.Equal(t, before["pid"], after["pid"])
	require.Equal(t, "9", after["min_beats"])
	require.Empty(t, after["last_error"])
	awaitBeats(20)
	require.Equal(t, first, one(t, s, firstSeen)["first_seen"], "its history was kept")
	require.LessOrEqual(t, openDescriptors(t, s.pid()), descriptors+2)
	require.LessOrEqual(t, number(t, after, "goroutines"), number(t, before, "goroutines")+2)
}
