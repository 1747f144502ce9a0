package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// TestPlaybookWorks follows the playbook for a live beacon: its statements answer, its commands end well.
func TestPlaybookWorks(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	a := newActor(t, host, "beat-playbook")
	beat := a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 400 * time.Millisecond, Size: 151, Count: 1000, For: lifetime}})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Len(c, ask(c, s, "SELECT 1 FROM beacon_candidates WHERE scope = 'destination' AND score >= 0.5 AND insufficient = 0 AND path = "+quoted(a.path)), 1)
	}, 2*patience, 200*time.Millisecond)

	// the command of that name asks this sensor
	bin := room(t)
	script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" %s\n", beaconwatch(), strings.Join(placeIn(s.dir), " "))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "beaconwatch.ext"), []byte(script), 0o755))

	text, err := os.ReadFile("../../packs/playbook.md")
	require.NoError(t, err)
	ours := strings.NewReplacer("/opt/sample/agent", a.path, "4711", fmt.Sprint(beat.pid()), "198.51.100.7", public4)
	seen := map[string]int{}
	_, noDebugger := exec.LookPath("gcore")
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		seen[m[1]]++
		block := ours.Replace(m[2])
		switch m[1] {
		case "sql":
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.NotEmpty(c, ask(c, s, strings.TrimSuffix(strings.TrimSpace(block), ";")), block)
			}, patience, 200*time.Millisecond)
		case "sh":
			cmd := exec.Command("sh", "-e", "-c", block)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TMPDIR="+bin)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", block, out)
		}
	}
	require.GreaterOrEqual(t, seen["sql"], 7)
	require.GreaterOrEqual(t, seen["sh"], 4)
	kept, err := filepath.Glob(filepath.Join(bin, "*", "SHA256SUMS"))
	require.NoError(t, err)
	require.Len(t, kept, 1, "evidence was kept")
	sums, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	for _, file := range []string{"exe", "maps", "report.html", "candidates.json", "sockets"} {
		require.Contains(t, string(sums), " "+file+"\n")
	}
	if noDebugger != nil {
		need.Skip(t, "gcore is not installed (package gdb): the playbook's way to keep memory is not run")
	}
	require.Contains(t, string(sums), fmt.Sprintf(" memory.%d\n", beat.pid()))
}
