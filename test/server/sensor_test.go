package server

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// startSensor starts the binary at the best level this kernel grants, waits until it watches, and returns its SQL socket. It
// runs in the network namespace that the tests were started in, as a sensor runs beside the containers of its host: the
// kernel tells of processes in the first one only (linux/cn_proc.h), and without that the owner of a connection of some
// milliseconds is often unknown.
func startSensor(t *testing.T) *shell.Client {
	t.Helper()
	const socket = "/run/beaconwatch/sock"
	require.NoError(t, os.MkdirAll("/run/beaconwatch", 0o755))
	cmd := exec.Command("nsenter", "--net=/proc/self/fd/3", sensorPath, "--listen_socket", socket, "--state_dir", "/run/beaconwatch/state")
	cmd.ExtraFiles = []*os.File{os.NewFile(hostNetwork, "host")} // 3 there as here
	launch(t, "", cmd)
	var s *shell.Client
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		s, err = shell.Dial(socket, patience)
		require.NoError(c, err)
	}, patience, 20*time.Millisecond, "the sensor serves no SQL")
	t.Cleanup(func() { s.Close() })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows := scene.Ask(c, s, "SELECT level, level_reason, tcp_source FROM beacon_sensor_status WHERE samples > 0")
		require.Len(c, rows, 1)
		require.NotEqual(c, "none", rows[0]["level"])
		t.Logf("level %s %s", rows[0]["level"], rows[0]["level_reason"])
	}, patience, 20*time.Millisecond, "the sensor takes no samples")
	return s
}

// grades are the candidates of this network namespace that have beats enough to conclude something.
func grades(t require.TestingT, s shell.Querier) []map[string]string {
	here, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	number := strings.TrimSuffix(strings.TrimPrefix(here, "net:["), "]")
	return scene.Ask(t, s, fmt.Sprintf(`SELECT path, script, remote_address, remote_port, username, parent_path, package_name, beats, interval_ms,
		evidence, severity, expected, rule, suspicions, reason_codes, reason FROM beacon_candidates
		WHERE net_namespace = %s AND scope = 'destination' AND insufficient = 0 ORDER BY path`, number))
}
