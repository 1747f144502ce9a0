package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	osquery "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestExtension registers with an osquery that goes and comes back in every way it may.
func TestExtension(t *testing.T) {
	t.Parallel()
	whole := t
	host, outside := network(t)
	dir := room(t)
	at := filepath.Join(dir, "em")
	daemon := newOsqueryd(t, at)
	s := startSensor(t, host, dir, asExtension(at)...)
	status := awaitTables(t, daemon)
	require.Equal(t, fmt.Sprint(s.pid()), status["pid"])

	a := newActor(t, host, "beat-extension")
	beat := a.send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
		Interval: 500 * time.Millisecond, Size: 77, Count: 1000, For: lifetime}})
	bytesOver := func(q querier) int {
		return int(number(t, one(t, q, "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE path = "+quoted(a.path)), "bytes"))
	}
	require.Eventually(t, func() bool { return bytesOver(daemon) >= 2*77 }, patience, 50*time.Millisecond)

	t.Run("dropped in silence", func(t *testing.T) {
		require.Eventually(t, func() bool { return contains(s.errors, `msg="registered with osquery"`) }, patience, 50*time.Millisecond)
		require.True(t, daemon.Drop("beaconwatch"))
		_, _, err := daemon.Query(t.Context(), "SELECT pid FROM beacon_sensor_status")
		require.ErrorContains(t, err, "no such table")
		require.Equal(t, fmt.Sprint(s.pid()), awaitTables(t, daemon)["pid"])
		awaitReconnects(t, s, 1)
	})
	t.Run("restarted", func(t *testing.T) {
		before := bytesOver(s)
		daemon.stop(t)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.Greater(c, bytesOver(s), before+77, "it watches while osquery is away")
		}, patience, 50*time.Millisecond)
		daemon = newOsqueryd(whole, at)
		require.Equal(t, status["start_time"], awaitTables(t, daemon)["start_time"], "the same sensor")
		require.Greater(t, bytesOver(daemon), before+77, "history is kept")
		awaitReconnects(t, s, 2)
	})
	t.Run("ends with its socket gone", func(t *testing.T) {
		// what is stopped has a record that the tables agree with
		beat.stop(t)
		awaitBytes(t, daemon, a.path, bytesOf(a.sent(t)))
		route := one(t, daemon, "SELECT path FROM osquery_extensions WHERE name = 'beaconwatch'")["path"]
		require.NoError(t, shell.CheckSocket(route))
		begun := time.Now()
		require.Zero(t, s.stop(t))
		require.Less(t, time.Since(begun), 5*time.Second)
		require.NoFileExists(t, route)
		require.NoFileExists(t, s.socket)
		require.Eventually(t, func() bool {
			return len(ask(t, daemon, "SELECT 1 FROM osquery_extensions WHERE name = 'beaconwatch'")) == 0
		}, patience, 50*time.Millisecond)
	})
}

func awaitReconnects(t *testing.T, s *sensor, want int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, fmt.Sprint(want), one(c, s, "SELECT reconnects FROM beacon_sensor_status")["reconnects"])
	}, patience, 50*time.Millisecond)
}

// TestExtensionOutlivesAKilledHost kills the host with SIGKILL: nobody deregisters, and its socket stays where it was.
func TestExtensionOutlivesAKilledHost(t *testing.T) {
	t.Parallel()
	dir := room(t)
	at := filepath.Join(dir, "em")
	cmd := exec.Command(filepath.Join(workshop, "actor"))
	cmd.Env = append(os.Environ(), roleVariable+"=host", "BEACONWATCH_E2E_SOCKET="+at)
	daemon := launch(t, nil, cmd)
	s := startSensor(t, quiet(t), dir, asExtension(at)...)
	var client *shell.Client
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		client, err = shell.Dial(at, patience)
		require.NoError(c, err)
	}, patience, 50*time.Millisecond)
	defer client.Close()
	status := awaitTables(t, client)

	daemon.kill()
	samples := number(t, one(t, s, "SELECT samples FROM beacon_sensor_status"), "samples")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Greater(c, number(c, one(c, s, "SELECT samples FROM beacon_sensor_status"), "samples"), samples+5)
	}, patience, 50*time.Millisecond)

	again := awaitTables(t, newOsqueryd(t, at))
	require.Equal(t, status["pid"], again["pid"])
	require.Equal(t, status["start_time"], again["start_time"])
	require.Zero(t, s.stop(t))
}

// TestExtensionWaitsForItsName registers another extension under the name first, as a predecessor that has not been
// missed yet.
func TestExtensionWaitsForItsName(t *testing.T) {
	t.Parallel()
	dir := room(t)
	at := filepath.Join(dir, "em")
	daemon := newOsqueryd(t, at)
	var predecessor *osquery.ExtensionManagerServer
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		predecessor, err = osquery.NewExtensionManagerServer("beaconwatch", at)
		require.NoError(c, err)
	}, patience, 50*time.Millisecond)
	predecessor.RegisterPlugin(table.NewPlugin("predecessor", []table.ColumnDefinition{table.TextColumn("word")},
		func(context.Context, table.QueryContext) ([]map[string]string, error) { return nil, nil }))
	served := make(chan error, 1)
	go func() { served <- predecessor.Start() }()
	require.Eventually(t, func() bool {
		return len(ask(t, daemon, "SELECT 1 FROM osquery_extensions WHERE name = 'beaconwatch'")) == 1
	}, patience, 50*time.Millisecond)

	s := startSensor(t, quiet(t), dir, asExtension(at)...)
	require.Eventually(t, func() bool { return contains(s.errors, "Duplicate extension") }, patience, 50*time.Millisecond)
	require.Equal(t, "L0", one(t, s, "SELECT level FROM beacon_sensor_status")["level"], "it watches all the same")
	require.NoError(t, predecessor.Shutdown(context.Background()))
	<-served
	require.Equal(t, fmt.Sprint(s.pid()), awaitTables(t, daemon)["pid"])
}

// TestExtensionFollowsANewSocketName restarts the host under another name each time, as some launchers do.
func TestExtensionFollowsANewSocketName(t *testing.T) {
	t.Parallel()
	dir := room(t)
	first := newOsqueryd(t, filepath.Join(dir, "osquery-1.sock"))
	s := startSensor(t, quiet(t), dir, asExtension(filepath.Join(dir, "osquery-*.sock"))...)
	require.Equal(t, fmt.Sprint(s.pid()), awaitTables(t, first)["pid"])
	first.stop(t)
	second := newOsqueryd(t, filepath.Join(dir, "osquery-2.sock"))
	require.Equal(t, fmt.Sprint(s.pid()), awaitTables(t, second)["pid"])
}
