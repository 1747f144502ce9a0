package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

// osqueryd is an embedded host in the place of osqueryd, serving at socket until stopped.
type osqueryd struct {
	*sqlhost.Host
	socket string
	end    context.CancelFunc
	ended  chan error
}

func newOsqueryd(t *testing.T, socket string) *osqueryd {
	t.Helper()
	h, err := hostConfig()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	o := &osqueryd{Host: h, socket: socket, end: cancel, ended: make(chan error, 1)}
	go func() { o.ended <- h.Serve(ctx, socket) }()
	t.Cleanup(func() { o.stop(t) })
	return o
}

func hostConfig() (*sqlhost.Host, error) {
	return sqlhost.New(sqlhost.Config{Name: "osqueryd", Version: "5.23.0", Timeout: 3 * time.Second, PingInterval: time.Second})
}

// stop ends the host as osqueryd ends: it asks its extensions to shut down first.
func (o *osqueryd) stop(t *testing.T) {
	t.Helper()
	if o.Host == nil {
		return
	}
	o.end()
	require.NoError(t, <-o.ended)
	o.Host.Close()
	o.Host = nil
}

// playHost is a host in a process of its own, which can be killed.
func playHost() error {
	h, err := hostConfig()
	if err != nil {
		return err
	}
	return h.Serve(context.Background(), os.Getenv("BEACONWATCH_E2E_SOCKET"))
}

// awaitTables waits until the tables answer through q, as --extensions_require=beaconwatch makes osqueryd wait, and
// returns the sensor's status.
func awaitTables(t *testing.T, q querier) (status map[string]string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status = one(c, q, "SELECT s.* FROM beacon_sensor_status s, osquery_extensions e WHERE e.name = 'beaconwatch'")
	}, patience, 50*time.Millisecond)
	return status
}

// asExtension are the flags osquery starts an extension with.
func asExtension(socket string) []string {
	return []string{"--socket", socket, "--timeout", "3", "--interval", "1", "--verbose"}
}
