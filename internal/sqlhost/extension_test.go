package sqlhost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

// quick makes the ping loop fast enough for tests.
var quick = Config{PingInterval: 20 * time.Millisecond, Timeout: 2 * time.Second}

func numbersTable(name string, rows int) *table.Plugin {
	return table.NewPlugin(name, []table.ColumnDefinition{table.BigIntColumn("n", table.IndexColumn()), table.TextColumn("word")},
		func(context.Context, table.QueryContext) ([]map[string]string, error) {
			out := make([]map[string]string, rows)
			for i := range out {
				out[i] = map[string]string{"n": strconv.Itoa(i), "word": fmt.Sprintf("w%d", i)}
			}
			return out, nil
		})
}

func TestExtensionOverTheSocket(t *testing.T) {
	h := newHost(t, quick)
	socket, _ := serve(t, h)
	recorded := newRecorder("remote", pushdownColumns(), map[string]string{"pid": "3", "listed": "4", "path": "/a"})
	stop, _ := startExtension(t, socket, "friend", []osquerygo.ServerOption{osquerygo.ExtensionVersion("1.2.3")}, recorded, numbersTable("numbers", 3))
	waitForTable(t, h, "remote")
	recorded.calls()

	require.Equal(t, [][]string{{"3", "/a"}}, query(t, h, "SELECT pid, path FROM remote WHERE pid = 3 AND listed IN (4, 5)"))
	require.Equal(t, []map[string][]string{{"pid": {"= 3"}, "listed": {"= 4", "= 5"}}}, recorded.calls())
	require.Equal(t, [][]string{{"0", "w0"}, {"1", "w1"}, {"2", "w2"}}, query(t, h, "SELECT * FROM numbers"))

	_, rows, err := h.Query(t.Context(), "SELECT name, version, type FROM osquery_extensions ORDER BY uuid")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"sqlhost", "0.0.0", "core"}, {"friend", "1.2.3", "extension"}}, rows)

	stop()
	waitForNoTable(t, h, "remote")
	_, _, err = h.Query(t.Context(), "SELECT * FROM numbers")
	require.EqualError(t, err, "no such table: numbers")
}

// TestClientOverTheSocket asks with osquery-go's own client, as Fleet's and Kolide's tools do.
func TestClientOverTheSocket(t *testing.T) {
	h := newHost(t, quick, numbersTable("numbers", 2))
	socket, _ := serve(t, h)
	client, err := osquerygo.NewClient(socket, 5*time.Second)
	require.NoError(t, err)
	defer client.Close()

	rows, err := client.QueryRows("SELECT word, n FROM numbers ORDER BY n DESC")
	require.NoError(t, err)
	require.Equal(t, []map[string]string{{"n": "1", "word": "w1"}, {"n": "0", "word": "w0"}}, rows)

	columns, err := client.GetQueryColumns("SELECT word, n, n + 1 AS next FROM numbers")
	require.NoError(t, err)
	require.EqualValues(t, []map[string]string{{"word": "TEXT"}, {"n": "BIGINT"}, {"next": "UNKNOWN"}}, columns.Response)

	_, err = client.QueryRows("SELECT nope FROM numbers")
	require.EqualError(t, err, "query returned error: no such column: nope")

	status, err := client.Ping()
	require.NoError(t, err)
	require.Zero(t, status.Code)
	options, err := client.Options()
	require.NoError(t, err)
	require.Equal(t, socket, options["extensions_socket"].Value)
	require.Equal(t, "true", options["extensions_default_index"].Value)
	list, err := client.Extensions()
	require.NoError(t, err)
	require.Empty(t, list)
	removed, err := client.DeregisterExtension(77)
	require.NoError(t, err)
	require.EqualValues(t, 1, removed.Code)
}

// TestCallIsRelayed is what a second instance does: it asks the manager for a table's rows with a query context.
func TestCallIsRelayed(t *testing.T) {
	local := newRecorder("local", pushdownColumns(), map[string]string{"pid": "1"})
	h := newHost(t, quick, local)
	socket, _ := serve(t, h)
	remote := newRecorder("remote", pushdownColumns(), map[string]string{"pid": "2"})
	startExtension(t, socket, "friend", nil, remote)
	waitForTable(t, h, "remote")
	remote.calls()
	client, err := osquerygo.NewClient(socket, 5*time.Second)
	require.NoError(t, err)
	defer client.Close()

	queryContext := `{"constraints":[{"name":"pid","list":[{"op":2,"expr":"7"}],"affinity":"BIGINT"}]}`
	for pid, tb := range map[string]*recorder{"1": local, "2": remote} {
		response, err := client.Call("table", tb.Name(), map[string]string{"action": "generate", "context": queryContext})
		require.NoError(t, err)
		require.Zero(t, response.Status.Code, response.Status.Message)
		require.EqualValues(t, []map[string]string{{"pid": pid}}, response.Response)
		require.Equal(t, []map[string][]string{{"pid": {"= 7"}}}, tb.calls())
		columns, err := client.Call("table", tb.Name(), map[string]string{"action": "columns"})
		require.NoError(t, err)
		require.Equal(t, tb.Routes(), columns.Response)
	}
	for _, unknown := range [][2]string{{"table", "nope"}, {"logger", "local"}} {
		response, err := client.Call(unknown[0], unknown[1], map[string]string{"action": "generate"})
		require.NoError(t, err)
		require.EqualValues(t, 1, response.Status.Code)
	}
}

func TestJoinCallsARemoteTableOncePerOuterRow(t *testing.T) {
	h := newHost(t, quick, numbersTable("numbers", 200))
	socket, _ := serve(t, h)
	var calls []string
	startExtension(t, socket, "friend", nil, pidTable("remote", 200, &calls))
	waitForTable(t, h, "remote")
	calls = nil
	rows := query(t, h, "SELECT n, remote_value FROM numbers LEFT JOIN remote ON pid = n")
	require.Len(t, rows, 200)
	require.Equal(t, []string{"199", "remote199"}, rows[199])
	require.Len(t, calls, 200)
	require.Equal(t, "199", calls[199])
}

func TestDuplicatesAreRefused(t *testing.T) {
	h := newHost(t, quick, numbersTable("numbers", 1))
	socket, _ := serve(t, h)
	startExtension(t, socket, "friend", nil, numbersTable("first", 1))
	waitForTable(t, h, "first")
	for name, test := range map[string]struct{ extension, table, want string }{
		"extension name":                {"friend", "second", "status 1 registering extension: Duplicate extension registered"},
		"table of another extension":    {"other", "first", "status 1 registering extension: table first is already registered"},
		"table of the host, other case": {"other", "NUMBERS", "status 1 registering extension: table NUMBERS is already registered"},
		"not a table name":              {"other", "a b", `status 1 registering extension: "a b" is not a table name`},
		"no name":                       {"", "second", "status 1 registering extension: an extension needs a name"},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := osquerygo.NewExtensionManagerServer(test.extension, socket)
			require.NoError(t, err)
			server.RegisterPlugin(numbersTable(test.table, 1))
			require.EqualError(t, server.Start(), test.want)
			_ = server.Shutdown(context.Background())
		})
	}
	require.Len(t, h.snapshot(), 1)
}

func TestExtensionLimit(t *testing.T) {
	config := quick
	config.MaxExtensions = 1
	h := newHost(t, config)
	socket, _ := serve(t, h)
	startExtension(t, socket, "one", nil, numbersTable("first", 1))
	waitForTable(t, h, "first")
	server, err := osquerygo.NewExtensionManagerServer("two", socket)
	require.NoError(t, err)
	require.ErrorContains(t, server.Start(), "1 extensions are registered, and that is the limit")
}

// TestKilledExtension runs an extension as a process of its own and kills it: it is dropped by the next ping, and the same
// name may register again.
func TestKilledExtension(t *testing.T) {
	h := newHost(t, quick)
	socket, _ := serve(t, h)
	for range 2 {
		process := startProcess(t, socket)
		waitForTable(t, h, "killable")
		require.Equal(t, [][]string{{"5"}}, query(t, h, "SELECT count(*) FROM killable"))
		require.NoError(t, process.Process.Kill())
		_ = process.Wait()
		waitForNoTable(t, h, "killable")
	}
}

// startProcess starts this binary as an extension with the table killable.
func startProcess(t *testing.T, socket string) *exec.Cmd {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), extensionSocketVariable+"="+socket)
	process.Stderr = t.Output()
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill() })
	return process
}

const extensionSocketVariable = "SQLHOST_TEST_EXTENSION_SOCKET"

// TestMain is the killable extension when a test starts this binary as one.
func TestMain(m *testing.M) {
	socket := os.Getenv(extensionSocketVariable)
	if socket == "" {
		os.Exit(m.Run())
	}
	server, err := osquerygo.NewExtensionManagerServer("killable", socket, osquerygo.ServerTimeout(5*time.Second))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.RegisterPlugin(numbersTable("killable", 5))
	fmt.Fprintln(os.Stderr, server.Run())
}

// TestDropIsSilent makes osqueryd's zombie: the extension's pings succeed, and its tables are gone.
func TestDropIsSilent(t *testing.T) {
	h := newHost(t, quick)
	socket, _ := serve(t, h)
	_, ended := startExtension(t, socket, "zombie", nil, numbersTable("numbers", 1))
	waitForTable(t, h, "numbers")
	require.True(t, h.Drop("zombie"))
	require.False(t, h.Drop("zombie"))
	waitForNoTable(t, h, "numbers")
	client, err := osquerygo.NewClient(socket, 5*time.Second)
	require.NoError(t, err)
	defer client.Close()
	for range 5 {
		_, err := client.Ping()
		require.NoError(t, err)
	}
	list, err := client.Extensions()
	require.NoError(t, err)
	require.Empty(t, list, "what an extension must look at")
	require.Empty(t, ended, "the extension noticed nothing")
	startExtension(t, socket, "zombie", nil, numbersTable("numbers", 2))
	waitForTable(t, h, "numbers")
}

func TestHostShutsExtensionsDown(t *testing.T) {
	h := newHost(t, quick)
	socket, stop := serve(t, h)
	_, ended := startExtension(t, socket, "friend", []osquerygo.ServerOption{osquerygo.ServerPingInterval(time.Hour)}, numbersTable("numbers", 1))
	waitForTable(t, h, "numbers")
	stop()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the extension was not told")
	}
	require.Empty(t, h.snapshot())
	require.Empty(t, mustGlob(t, socket+"*"))
}

// TestHungExtension stops an extension from answering: the call ends in time, the others work, the ping drops it.
func TestHungExtension(t *testing.T) {
	config := quick
	config.Timeout, config.PingInterval = 100*time.Millisecond, time.Hour
	h := newHost(t, config, numbersTable("numbers", 1))
	socket, _ := serve(t, h)
	var hang atomic.Bool
	release := make(chan struct{})
	hung := table.NewPlugin("hung", []table.ColumnDefinition{table.TextColumn("x")}, func(context.Context, table.QueryContext) ([]map[string]string, error) {
		if hang.Load() {
			<-release
		}
		return nil, nil
	})
	startExtension(t, socket, "friend", []osquerygo.ServerOption{osquerygo.WithTransportFactory(thrift.NewTBufferedTransportFactory(bufferSize))}, hung)
	waitForTable(t, h, "hung")
	hang.Store(true)
	_, _, err := h.Query(t.Context(), "SELECT * FROM hung")
	require.EqualError(t, err, "table hung did not answer within 100ms")
	require.Len(t, query(t, h, "SELECT * FROM numbers"), 1)
	close(release)
	hang.Store(false)
	require.Empty(t, query(t, h, "SELECT * FROM hung"))
}
