package pack

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	osquery "github.com/osquery/osquery-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost/standin"
	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/packs"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

// osqueryd is an embedded host in the place of osqueryd, asked over its socket. osquery's own tables are stand-ins.
type osqueryd struct {
	*shell.Client
	socket string
}

func newOsqueryd(t testing.TB, rows map[string]standin.Rows) *osqueryd {
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
	o := &osqueryd{socket: filepath.Join(dir, "em")}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- host.Serve(ctx, o.socket) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		o.Client, err = shell.Dial(o.socket, patience)
		require.NoError(c, err)
	}, patience, 5*time.Millisecond)
	t.Cleanup(func() { o.Client.Close() })
	return o
}

// extend registers the tables over the extension protocol, as beaconwatch.ext does, and returns how to take them away.
func (o *osqueryd) extend(t testing.TB, deps table.Deps) (end func()) {
	t.Helper()
	server, err := osquery.NewExtensionManagerServer("beaconwatch", o.socket,
		osquery.WithTransportFactory(thrift.NewTBufferedTransportFactory(16<<10)))
	require.NoError(t, err)
	for _, one := range standin.Announced(table.All(deps)) {
		server.RegisterPlugin(one)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Start() }()
	stopped := false
	end = func() {
		if !stopped {
			stopped = true
			require.NoError(t, server.Shutdown(context.Background()))
			<-ended
		}
	}
	t.Cleanup(end)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Len(c, ask(c, o, "SELECT 1 FROM osquery_extensions WHERE name = 'beaconwatch'"), 1)
		ask(c, o, "SELECT pid FROM beacon_sensor_status")
	}, patience, 5*time.Millisecond)
	return end
}

// ask runs SQL and returns rows by column.
func ask(t require.TestingT, o *osqueryd, sql string) []map[string]string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	columns, values, err := o.Query(ctx, sql)
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

// shipped are the queries by name.
func shipped(t testing.TB) map[string]pack.Query {
	t.Helper()
	queries, err := packs.Queries()
	require.NoError(t, err)
	byName := map[string]pack.Query{}
	for _, q := range queries {
		byName[q.Name] = q
	}
	return byName
}

// run asks a shipped query.
func run(t testing.TB, o *osqueryd, name string) []map[string]string {
	t.Helper()
	q, ok := shipped(t)[name]
	require.True(t, ok, name)
	return ask(t, o, q.SQL)
}
