package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestRulesAreReadAgainOnSIGHUP follows one beacon through a missing rule, a rule, a mistake in it and its removal.
func TestRulesAreReadAgainOnSIGHUP(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	dir := room(t)
	rules, file := filepath.Join(dir, "inventory.d"), filepath.Join(dir, "inventory.d", "agent.yaml")
	require.NoError(t, os.Mkdir(rules, 0o755))
	s := startSensor(t, host, dir, attentive, "--inventory_dir", rules)
	to := sink(t, outside, public4)
	a := newActor(t, host, "agentd")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: to,
		Interval: 300 * time.Millisecond, Size: 151, Count: 400, For: 2 * time.Minute}})

	await := func(want map[string]string) map[string]string {
		t.Helper()
		var r map[string]string
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			r = one(c, s, "SELECT * FROM beacon_candidates WHERE path = "+quoted(a.path))
			for column, value := range want {
				assert.Equal(c, value, r[column], column)
			}
		}, 2*patience, 200*time.Millisecond)
		return r
	}
	put := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		require.NoError(t, syscall.Kill(s.pid(), syscall.SIGHUP))
	}
	before := one(t, s, "SELECT inventory_hash, rules FROM beacon_sensor_status")

	// nobody has spoken of it, and it runs from a temporary directory
	r := await(map[string]string{"expected": "0", "network_facing": "-1", "severity": "high", "rule": "", "insufficient": "0"})
	require.Contains(t, r["suspicions"], "world_writable_path=4")
	require.Contains(t, r["reason_codes"], "no_package")

	rule := fmt.Sprintf("rules:\n  - name: agent\n    comment: c\n    owner: o\n    expires: 2100-01-01\n    program: {sha256: %s}\n"+
		"    destinations: [{cidr: %s, protocol: tcp}]\n    period: 200ms..1s\n", digest(t, a.path), public4)
	put(rule)
	await(map[string]string{"expected": "1", "network_facing": "1", "severity": "info", "rule": "agent", "rule_source": "operator"})
	baseline := one(t, s, "SELECT expected, rule, periodic, destinations FROM process_network_baseline WHERE path = "+quoted(a.path))
	require.Equal(t, map[string]string{"expected": "1", "rule": "agent", "periodic": "1", "destinations": "1"}, baseline)
	ruled := one(t, s, "SELECT inventory_hash, rules, inventory_error FROM beacon_sensor_status")
	require.NotEqual(t, before["inventory_hash"], ruled["inventory_hash"])
	require.Equal(t, number(t, before, "rules")+1, number(t, ruled, "rules"))
	require.Empty(t, ruled["inventory_error"])

	put(rule + "    prot: tcp\n")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status := one(c, s, "SELECT inventory_hash, inventory_error FROM beacon_sensor_status")
		assert.Contains(c, status["inventory_error"], file+`:9:5: a rule has no key "prot"`)
		assert.Equal(c, ruled["inventory_hash"], status["inventory_hash"])
	}, patience, 50*time.Millisecond)
	await(map[string]string{"expected": "1", "rule": "agent"})

	require.NoError(t, os.Remove(file))
	require.NoError(t, syscall.Kill(s.pid(), syscall.SIGHUP))
	await(map[string]string{"expected": "0", "severity": "high"})
	require.Equal(t, before["inventory_hash"], one(t, s, "SELECT inventory_hash FROM beacon_sensor_status")["inventory_hash"])

	changes, err := os.ReadFile(filepath.Join(dir, "state", "inventory-changes.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(changes), `"old_hash":"`+before["inventory_hash"]+`","new_hash":"`+ruled["inventory_hash"]+`"`)
}
