package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// starving makes a control group whose processes get a fifth of one core together, cgroups(7), and returns its cgroup.procs. They get
// it in one piece: then nobody in the group runs for the rest of a second, the longest period that the kernel takes.
func starving(t *testing.T) string {
	t.Helper()
	group, limit, value := cgroups(t), "cpu.max", "200000 1000000"
	require.NoError(t, os.MkdirAll(group, 0o755))
	if parent := filepath.Dir(group); os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+cpu"), 0) != nil {
		group, limit, value = filepath.Join("/sys/fs/cgroup/cpu", filepath.Base(group)+"-starved"), "cpu.cfs_quota_us", "200000"
		t.Cleanup(func() { removeGroups(t, group) })
	}
	if err := os.MkdirAll(group, 0o755); err != nil {
		need.Skip(t, "no control group with a quota: %v", err)
	}
	if limit == "cpu.cfs_quota_us" {
		require.NoError(t, os.WriteFile(filepath.Join(group, "cpu.cfs_period_us"), []byte("1000000"), 0))
	}
	if err := os.WriteFile(filepath.Join(group, limit), []byte(value), 0); err != nil {
		need.Skip(t, "no quota for a control group: %v", err)
	}
	return filepath.Join(group, "cgroup.procs")
}

// playSpinner uses all the time it gets.
func playSpinner() error {
	for range runtime.NumCPU() {
		go func() {
			for began := time.Now(); time.Since(began) < lifetime; {
			}
		}()
	}
	fmt.Println("spinning")
	<-time.After(lifetime)
	return nil
}

// requireNoRhythm waits until an actor that has none is ranked over most of what it sent, and finds no beacon in it.
func requireNoRhythm(t *testing.T, s *sensor, a *actor) {
	t.Helper()
	var rows []map[string]string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows = ask(c, s, "SELECT scope, beats, score, insufficient, interval_ms, reason, resolution_ms FROM beacon_candidates WHERE path = "+quoted(a.path))
		require.NotEmpty(c, rows, "it is ranked")
		require.GreaterOrEqual(c, number(c, rows[0], "beats"), 10.)
	}, 2*patience, 200*time.Millisecond)
	for _, r := range rows {
		t.Log(r)
		require.Less(t, number(t, r, "score"), 0.5, "%v", r)
	}
}

// TestStarvedSensor shares a fifth of a core with a process that takes all it can get. The sensor says how late it looks, and
// makes no rhythm of its own gaps: the sender has none.
func TestStarvedSensor(t *testing.T) {
	procs := starving(t)
	host, outside := network(t)
	s := newSensor(t, host, attentive)
	const status = "SELECT late_samples, max_gap_ms, sample_period_ms, samples, level FROM beacon_sensor_status"
	spinner := newActor(t, nil, "spinner").play(t, "spinner", nil)
	require.Eventually(t, func() bool { return contains(spinner.out, "spinning") }, patience, 10*time.Millisecond)
	before := one(t, s, status)
	for _, pid := range []int{s.pid(), spinner.pid()} {
		require.NoError(t, os.WriteFile(procs, []byte(strconv.Itoa(pid)), 0))
	}
	a := newActor(t, host, "poisson")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Random, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 200 * time.Millisecond, Size: 151, Spread: 50, Count: 80, For: lifetime, Seed: 7}})
	a.finish(t, lifetime)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.EqualValues(c, bytesOf(a.sent(t)), number(c, one(c, s, "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE path = "+
			quoted(a.path)), "bytes"), "nothing is lost")
	}, 2*patience, 500*time.Millisecond)
	after := one(t, s, status)
	t.Log(before, after)
	require.Greater(t, number(t, after, "max_gap_ms"), number(t, before, "max_gap_ms"))
	require.Greater(t, number(t, after, "late_samples"), number(t, before, "late_samples"))
	require.Equal(t, "L0", after["level"])
	requireNoRhythm(t, s, a)
	spinner.kill()
}
