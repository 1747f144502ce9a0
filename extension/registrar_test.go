package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

// attempts are the instants at which a log says that there is no registration.
type attempts struct {
	slog.Handler
	mu sync.Mutex
	at []time.Time // guarded by mu
}

func (a *attempts) Enabled(context.Context, slog.Level) bool { return true }

func (a *attempts) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "not registered with osquery" {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.at = append(a.at, r.Time)
	}
	return nil
}

func (a *attempts) all() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.at)
}

// TestOsqueryIsGoneForAnHour: it is looked for ever more rarely, but at least every 75 s, and the tables are registered with a real
// one that is back for a moment. That this counts as one reconnect more is seen in test/e2e: here time stands still while anybody
// waits at a socket.
func TestOsqueryIsGoneForAnHour(t *testing.T) {
	const longest = 75 * time.Second
	socket := filepath.Join(t.TempDir(), "em")
	begin, listening, registered := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
	go func() {
		<-begin
		manager, err := sqlhost.Listen(socket)
		close(listening)
		registered <- err == nil && registersAt(t, manager)
	}()
	synctest.Test(t, func(t *testing.T) {
		failures := &attempts{Handler: slog.DiscardHandler}
		r := &registrar{socket: socket, timeout: 3 * time.Second, interval: 3 * time.Second, log: slog.New(failures),
			encode: func() func() { return func() {} }}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.run(ctx) }()
		last := time.Now()
		time.Sleep(time.Hour)
		gone := failures.all()
		require.Greater(t, len(gone), 45)
		require.Less(t, len(gone), 70)
		for _, at := range gone {
			require.LessOrEqual(t, at.Sub(last), longest)
			last = at
		}
		close(begin)
		<-listening
		time.Sleep(longest - time.Since(last) + 2*r.timeout) // for what comes after it has gone again
		require.True(t, <-registered)
		cancel()
		require.NoError(t, <-ended)
	})
}

// registersAt is an osquery at its socket until the extension has registered with it, or for half a minute.
func registersAt(t *testing.T, manager net.Listener) (registered bool) {
	host, err := sqlhost.New(sqlhost.Config{Name: "osqueryd", Version: "5.23.0", Timeout: 3 * time.Second})
	if err != nil {
		t.Error(err)
		return false
	}
	defer host.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- host.ServeListener(ctx, manager) }()
	for deadline := time.Now().Add(30 * time.Second); !registered && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		_, rows, err := host.Query(ctx, "SELECT 1 FROM osquery_extensions WHERE name = 'beaconwatch'")
		registered = err == nil && len(rows) == 1
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return registered
}
