package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// patience is how long a test waits for what should come at once or within a refresh.
const patience = 15 * time.Second

// attentive lets the sensor look every 100 ms, however dear a look is on a machine as busy as these tests make it. Who owns
// a connection of half a second is then known for certain.
const attentive = "--cpu_budget=0.2"

// sensor is a running beaconwatch.ext, asked over its own SQL socket.
type sensor struct {
	*child
	dir, socket string
	*shell.Client
}

// newSensor starts the binary in a namespace with a socket and a state of its own, and waits until it watches.
func newSensor(t *testing.T, where *namespace, args ...string) *sensor {
	t.Helper()
	return startSensor(t, where, room(t), args...)
}

// startSensor starts the binary with socket and state in dir.
func startSensor(t *testing.T, where *namespace, dir string, args ...string) *sensor {
	t.Helper()
	cmd := exec.Command(beaconwatch(), append(placeIn(dir), args...)...)
	s := &sensor{child: launch(t, where, cmd), dir: dir, socket: filepath.Join(dir, "sock")}
	s.attach(t)
	return s
}

// placeIn are the flags that keep a sensor inside dir, inside its network namespace, and at the level that every kernel grants,
// unless a test asks for more: a later flag wins.
func placeIn(dir string) []string {
	return []string{"--listen_socket", filepath.Join(dir, "sock"), "--state_dir", filepath.Join(dir, "state"), "--level", "L0",
		"--max_net_namespaces", "0"}
}

// attach connects and waits until the sensor has looked once at connections.
func (s *sensor) attach(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		client, err := shell.Dial(s.socket, patience)
		require.NoError(c, err)
		s.Client = client
	}, patience, 20*time.Millisecond, "the sensor serves no SQL")
	t.Cleanup(func() { s.Client.Close() })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		const sql = "SELECT max(samples) AS samples FROM beacon_sensor_sources WHERE protocol = 'tcp' AND active = 1"
		require.NotZero(c, number(c, one(c, s, sql), "samples"))
	}, patience, 20*time.Millisecond, "the sensor takes no samples")
}

// querier is a sensor's socket, or a host.
type querier interface {
	Query(ctx context.Context, sql string) (columns []string, rows [][]string, err error)
}

// ask runs SQL and returns rows by column.
func ask(t require.TestingT, q querier, sql string) []map[string]string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	columns, values, err := q.Query(ctx, sql)
	require.NoError(t, err, sql)
	rows := make([]map[string]string, len(values))
	for i, v := range values {
		rows[i] = map[string]string{}
		for j, name := range columns {
			rows[i][name] = v[j]
		}
	}
	return rows
}

// one runs SQL that must return one row.
func one(t require.TestingT, q querier, sql string) map[string]string {
	rows := ask(t, q, sql)
	require.Len(t, rows, 1, sql)
	return rows[0]
}

// number reads a numeric column; NULL is 0.
func number(t require.TestingT, row map[string]string, column string) float64 {
	value, ok := row[column]
	require.True(t, ok, "no column %s", column)
	if value == "" {
		return 0
	}
	v, err := strconv.ParseFloat(value, 64)
	require.NoError(t, err, column)
	return v
}

// awaitBytes waits until SQL reports so many bytes sent by the program at path.
func awaitBytes(t *testing.T, q querier, path string, want int) {
	t.Helper()
	sql := "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE path = " + quoted(path)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.EqualValues(c, want, number(c, one(c, q, sql), "bytes"))
	}, patience, 100*time.Millisecond)
}
