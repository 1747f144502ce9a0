package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// nobody is the user without privilege of these tests.
const nobody = 65534

// TestWithoutPrivilege runs the sensor as an ordinary user: it names its own processes, counts what others send without
// guessing who they are, and says so.
func TestWithoutPrivilege(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	credential := &syscall.Credential{Uid: nobody, Gid: nobody}
	dir := room(t)
	require.NoError(t, os.Chown(dir, nobody, nobody))
	cmd := exec.Command(beaconwatch(), placeIn(dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	s := &sensor{child: launch(t, host, cmd), dir: dir, socket: filepath.Join(dir, "sock")}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		info, err := os.Stat(s.socket)
		require.NoError(c, err)
		require.Equal(c, os.FileMode(0o600), info.Mode().Perm())
	}, patience, 20*time.Millisecond)
	// root does not trust a socket of another user: the questions come from that user as well
	query := func(t require.TestingT, sql string) []map[string]string { return queryAs(t, credential, s, sql) }

	beat := simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4), Interval: 400 * time.Millisecond,
		Size: 90, Count: 10, For: time.Minute}
	own, foreign := newActor(t, host, "own"), newActor(t, host, "foreign")
	own.attr.Credential = credential
	own.send(t, part{SenderConfig: beat})
	foreign.send(t, part{SenderConfig: beat})
	own.finish(t, patience)
	foreign.finish(t, patience)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows := query(c, "SELECT path, uid, pid > 0 AS named, sum(bytes_sent) AS bytes FROM process_outbound_stats GROUP BY path ORDER BY path")
		require.Equal(c, []map[string]string{
			{"path": "", "uid": "0", "named": "0", "bytes": "900"},
			{"path": own.path, "uid": "65534", "named": "1", "bytes": "900"},
		}, rows)
	}, patience, 200*time.Millisecond)
	status := query(t, "SELECT * FROM beacon_sensor_status")[0]
	require.Equal(t, "L0", status["level"])
	require.GreaterOrEqual(t, number(t, status, "unattributed_sends"), 10.)
	require.Positive(t, number(t, status, "unreadable_processes"), "it says whose descriptors it may not read")
	require.Zero(t, s.stop(t))
}
