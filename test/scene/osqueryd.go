package scene

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	osquery "github.com/osquery/osquery-go"
	gen "github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost/standin"
	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// Patience is how long a test waits for what should come at once.
const Patience = 10 * time.Second

// Osqueryd is an embedded host in the place of osqueryd, asked over its socket. osquery's own tables are stand-ins.
type Osqueryd struct {
	*shell.Client
	socket string
}

// NewOsqueryd starts one, with the rows given of the tables that are osquery's own; it ends with the test.
func NewOsqueryd(t testing.TB, rows map[string]standin.Rows) *Osqueryd {
	t.Helper()
	dir, err := os.MkdirTemp("", "bw-pack-") // a socket's path may have 97 characters
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	host, err := sqlhost.New(sqlhost.Config{Name: "osqueryd", Version: "5.23.0"})
	require.NoError(t, err)
	t.Cleanup(host.Close)
	for _, one := range standin.Tables(rows) {
		require.NoError(t, host.RegisterTable(one))
	}
	o := &Osqueryd{socket: filepath.Join(dir, "em")}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- host.Serve(ctx, o.socket) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		o.Client, err = shell.Dial(o.socket, Patience)
		require.NoError(c, err)
	}, Patience, 5*time.Millisecond)
	t.Cleanup(func() { o.Client.Close() })
	return o
}

// Extend registers the tables over the extension protocol, as beaconwatch.ext does, and returns how to take them away.
func (o *Osqueryd) Extend(t testing.TB, deps table.Deps) (end func()) {
	t.Helper()
	client, err := osquery.NewClient(o.socket, Patience)
	require.NoError(t, err)
	var plugins []osquery.OsqueryPlugin
	for _, one := range table.All(deps) {
		plugins = append(plugins, one)
	}
	server, err := wire.Register(t.Context(), client, o.socket, &gen.InternalExtensionInfo{Name: "beaconwatch"}, nil, plugins...)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()
	stopped := false
	end = func() {
		if !stopped {
			stopped = true
			require.NoError(t, server.Stop(context.Background()))
			<-ended
			client.Close()
		}
	}
	t.Cleanup(end)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Len(c, Ask(c, o, "SELECT 1 FROM osquery_extensions WHERE name = 'beaconwatch'"), 1)
		Ask(c, o, "SELECT pid FROM beacon_sensor_status")
	}, Patience, 5*time.Millisecond)
	return end
}

// Ask runs SQL and returns rows by column.
func Ask(t require.TestingT, q shell.Querier, sql string) []map[string]string {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
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
