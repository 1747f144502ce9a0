package sqlhost

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

// osquery-go's plugins are tables as they are.
var _ Table = (*table.Plugin)(nil)

func newHost(t testing.TB, config Config, tables ...Table) *Host {
	t.Helper()
	h, err := New(config)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	for _, tb := range tables {
		require.NoError(t, h.RegisterTable(tb))
	}
	return h
}

// privateDir is a directory a socket may be made in, with a short name.
func privateDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqlhost-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve serves h on a fresh socket until the test ends, or the returned function is called, and returns its path.
func serve(t testing.TB, h *Host) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(privateDir(t), "host.em")
	listener, err := Listen(socket)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.ServeListener(ctx, listener) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return socket, stop
}

func query(t testing.TB, h *Host, sql string) [][]string {
	t.Helper()
	_, rows, err := h.Query(t.Context(), sql)
	require.NoError(t, err, sql)
	return rows
}

// recorder is a table that remembers the query contexts it was asked with.
type recorder struct {
	*table.Plugin
	mu    sync.Mutex
	asked []table.QueryContext
}

func newRecorder(name string, columns []table.ColumnDefinition, rows ...map[string]string) *recorder {
	r := &recorder{}
	r.Plugin = table.NewPlugin(name, columns, func(_ context.Context, q table.QueryContext) ([]map[string]string, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = append(r.asked, q)
		return rows, nil
	})
	return r
}

// calls returns what the table was asked since the last time, each as column → "op value" in order.
func (r *recorder) calls() []map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var calls []map[string][]string
	for _, q := range r.asked {
		call := map[string][]string{}
		for name, list := range q.Constraints {
			for _, c := range list.Constraints {
				call[name] = append(call[name], operatorNames[c.Operator]+" "+c.Expression)
			}
		}
		calls = append(calls, call)
	}
	r.asked = nil
	return calls
}

var operatorNames = map[table.Operator]string{
	table.OperatorEquals: "=", table.OperatorGreaterThan: ">", table.OperatorLessThanOrEquals: "<=", table.OperatorLessThan: "<",
	table.OperatorGreaterThanOrEquals: ">=", table.OperatorLike: "LIKE", table.OperatorGlob: "GLOB", 68: "<>",
}

// startExtension runs osquery-go's extension server with the plugins until the test ends or stop is called.
func startExtension(t testing.TB, socket, name string, options []osquerygo.ServerOption, plugins ...osquerygo.OsqueryPlugin) (stop func(), ended chan error) {
	t.Helper()
	options = append([]osquerygo.ServerOption{osquerygo.ServerTimeout(5 * time.Second), osquerygo.ServerPingInterval(50 * time.Millisecond)}, options...)
	server, err := osquerygo.NewExtensionManagerServer(name, socket, options...)
	require.NoError(t, err)
	server.RegisterPlugin(plugins...)
	ended = make(chan error, 1)
	go func() { ended <- server.Run() }()
	var once sync.Once
	stop = func() { once.Do(func() { _ = server.Shutdown(context.Background()) }) }
	t.Cleanup(stop)
	return stop, ended
}

// waitForTable waits until a statement can use the table.
func waitForTable(t testing.TB, h *Host, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, _, err := h.Query(t.Context(), "SELECT count(*) FROM "+name)
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}

func waitForNoTable(t testing.TB, h *Host, name string) {
	t.Helper()
	require.Eventually(t, func() bool { return h.currentCatalog().lookup(name) == nil }, 10*time.Second, 5*time.Millisecond)
}
