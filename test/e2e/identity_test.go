package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// TestWhatAProcessIs: an interpreter is known by its script, an executable that was deleted stays known as that.
func TestWhatAProcessIs(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := newSensor(t, host, attentive)

	t.Run("script", func(t *testing.T) {
		shell, err := exec.LookPath("bash")
		if err != nil {
			need.Skip(t, "bash is not installed: %v", err)
		}
		shell, err = filepath.EvalSymlinks(shell)
		require.NoError(t, err)
		to := sink(t, outside, public4)
		dir := room(t)
		script := filepath.Join(dir, "report.sh")
		require.NoError(t, os.WriteFile(script, []byte("exec 3<>/dev/tcp/"+public4+"/$1; echo -n 0123456789 >&3; read -t 1 -u 3; exit 0\n"), 0o600))
		cmd := exec.Command(shell, "report.sh", portOf(t, to))
		cmd.Dir = dir
		c := launch(t, host, cmd)
		require.Zero(t, c.wait(t, patience), c.errors)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			row := one(c, s, "SELECT path, bytes_sent FROM process_outbound_stats WHERE script = "+quoted(script))
			require.Equal(c, map[string]string{"path": shell, "bytes_sent": "10"}, row)
		}, patience, 50*time.Millisecond)
	})
	t.Run("deleted executable", func(t *testing.T) {
		a := newActor(t, host, "ghost")
		a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
			Interval: 500 * time.Millisecond, Size: 40, Count: 4, For: time.Minute, Writes: 1}})
		require.NoError(t, os.Remove(a.path))
		a.finish(t, patience)
		awaitBytes(t, s, a.path+" (deleted)", 4*40)
	})
}

// TestUDPIsHonest: a connected UDP socket is seen to open, and nothing is claimed of what it sent.
func TestUDPIsHonest(t *testing.T) {
	t.Parallel()
	host, _ := network(t)
	s := newSensor(t, host, attentive)
	a := newActor(t, host, "datagrams")
	a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "udp", Address: blackhole + ":9",
		Interval: 300 * time.Millisecond, Size: 64, Count: 6, For: time.Minute}})
	a.finish(t, patience)
	require.Equal(t, 6*64, bytesOf(a.sent(t)))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, `SELECT protocol, remote_address, remote_port, connections, bytes_sent, quality, exited FROM process_outbound_stats
			WHERE path = `+quoted(a.path))
		require.Equal(c, map[string]string{"protocol": "17", "remote_address": blackhole, "remote_port": "9", "connections": "1",
			"bytes_sent": "0", "quality": "inferred", "exited": "1"}, row)
	}, 2*patience, 50*time.Millisecond)
}
