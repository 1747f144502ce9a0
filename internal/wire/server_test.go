package wire_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/osquery/osquery-go/plugin/logger"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/wire"
)

const patience = 10 * time.Second

// answering is a table that answers in rows; generate is what it does as maps.
type answering struct {
	*table.Plugin
	answer func(context.Context) wire.Answer
}

func (a answering) Answer(ctx context.Context, _ osquery.ExtensionPluginRequest) wire.Answer {
	return a.answer(ctx)
}

func numbers(name string, answer func(context.Context) wire.Answer) osquerygo.OsqueryPlugin {
	return answering{table.NewPlugin(name, []table.ColumnDefinition{table.TextColumn("a"), table.BigIntColumn("n")}, nil), answer}
}

func three(context.Context) wire.Answer {
	r := wire.NewColumns([]string{"a", "n"}).Rows(nil)
	for i := range 3 {
		r.Next()
		r.Set("a", "same")
		if i > 0 {
			r.Int("n", int64(i))
		}
	}
	return wire.Answer{Status: &osquery.ExtensionStatus{Message: "OK"}, Rows: r}
}

// scene is an embedded osquery and an extension's client of it.
func scene(t *testing.T) (host *sqlhost.Host, client *osquerygo.ExtensionManagerClient, socket string) {
	host, err := sqlhost.New(sqlhost.Config{PingInterval: 50 * time.Millisecond})
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "wire-") // the test's own is too long a name for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "em")
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- host.Serve(ctx, socket) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
		host.Close()
	})
	client, err = osquerygo.NewClient(socket, patience)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return host, client, socket
}

// start registers and serves tables as the extension e.
func start(t *testing.T, client *osquerygo.ExtensionManagerClient, socket string, tables ...osquerygo.OsqueryPlugin) (s *wire.Server, served chan error) {
	s, err := wire.Register(t.Context(), client, socket, &osquery.InternalExtensionInfo{Name: "e", Version: "1"}, nil, tables...)
	require.NoError(t, err)
	served = make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s, served
}

func ended(t *testing.T, served chan error) {
	select {
	case err := <-served:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("it serves on")
	}
}

// socketsBeside are the extensions' sockets of a manager socket.
func socketsBeside(t *testing.T, socket string) []string {
	found, err := filepath.Glob(socket + ".*")
	require.NoError(t, err)
	return found
}

func TestServerAnswersQueries(t *testing.T) {
	host, client, socket := scene(t)
	failing := func(context.Context) wire.Answer {
		return wire.Answer{Status: &osquery.ExtensionStatus{Code: 1, Message: "today not"}}
	}
	maps := table.NewPlugin("plain", []table.ColumnDefinition{table.TextColumn("a")}, func(context.Context, table.QueryContext) ([]map[string]string, error) {
		return []map[string]string{{"a": "by maps"}}, nil
	})
	s, served := start(t, client, socket, numbers("numbers", three), numbers("failing", failing), maps)
	_, rows, err := host.Query(t.Context(), "SELECT a, n, n IS NULL FROM numbers")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"same", "", "1"}, {"same", "1", "0"}, {"same", "2", "0"}}, rows)
	_, rows, err = host.Query(t.Context(), "SELECT a FROM plain")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"by maps"}}, rows)
	_, _, err = host.Query(t.Context(), "SELECT a FROM failing")
	require.ErrorContains(t, err, "today not")

	direct, err := osquerygo.NewClient(socketsBeside(t, socket)[0], patience)
	require.NoError(t, err)
	defer direct.Close()
	for _, unknown := range [][2]string{{"table", "nope"}, {"logger", "numbers"}} {
		response, err := direct.Call(unknown[0], unknown[1], nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("Unknown registry item: %s %s", unknown[0], unknown[1]), response.Status.Message)
	}
	status, err := direct.Ping()
	require.NoError(t, err)
	require.Zero(t, status.Code)

	direct.Close()
	require.NoError(t, s.Stop(t.Context()))
	ended(t, served)
	require.Eventually(t, func() bool { return len(socketsBeside(t, socket)) == 0 }, patience, 5*time.Millisecond)
	_, _, err = host.Query(t.Context(), "SELECT a FROM numbers")
	require.ErrorContains(t, err, "no such table")
}

func TestServerNoticesThatTheCallerHungUp(t *testing.T) {
	_, client, socket := scene(t)
	asked, over := make(chan struct{}), make(chan struct{})
	start(t, client, socket, numbers("slow", func(ctx context.Context) wire.Answer {
		close(asked)
		<-ctx.Done()
		close(over)
		return wire.Answer{Status: &osquery.ExtensionStatus{}}
	}))
	conn, err := net.Dial("unix", socketsBeside(t, socket)[0])
	require.NoError(t, err)
	p := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(thrift.NewTSocketFromConnConf(conn, nil), 1024), nil)
	require.NoError(t, p.WriteMessageBegin(t.Context(), "call", thrift.CALL, 1))
	require.NoError(t, (&osquery.ExtensionCallArgs{Registry: "table", Item: "slow"}).Write(t.Context(), p))
	require.NoError(t, p.Flush(t.Context()))
	<-asked
	require.NoError(t, conn.Close())
	select {
	case <-over:
	case <-time.After(patience):
		t.Fatal("the table answers nobody")
	}
}

func TestServerEndsWhenOsqueryAsks(t *testing.T) {
	_, client, socket := scene(t)
	_, served := start(t, client, socket, numbers("numbers", three))
	conn, err := net.Dial("unix", socketsBeside(t, socket)[0])
	require.NoError(t, err)
	p := thrift.NewTBinaryProtocolConf(thrift.NewTSocketFromConnConf(conn, nil), nil)
	require.NoError(t, osquery.NewExtensionClient(thrift.NewTStandardClient(p, p)).Shutdown(t.Context()))
	require.NoError(t, conn.Close())
	ended(t, served)
}

// TestServerSurvivesRubbish sends what is no call, and asks properly after it.
func TestServerSurvivesRubbish(t *testing.T) {
	host, client, socket := scene(t)
	start(t, client, socket, numbers("numbers", three))
	for _, rubbish := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x80\x01\x00\x01\x00\x00\x00\x04call\x00\x00\x00\x01\x0b\x00\x01\x7f\xff\xff\xff",
		"\x80\x01\x00\x01\x00\x00\x00\x04call\x00\x00\x00\x01\x0d\x00\x03\x0b\x0b\x7f\xff\xff\xff", strings.Repeat("\x00", 100)} {
		conn, err := net.Dial("unix", socketsBeside(t, socket)[0])
		require.NoError(t, err)
		_, err = conn.Write([]byte(rubbish))
		require.NoError(t, err)
		require.NoError(t, conn.(*net.UnixConn).CloseWrite())
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		_, err = conn.Read(make([]byte, 1000))
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%q", rubbish)
		require.NoError(t, conn.Close())
		_, _, err = host.Query(t.Context(), "SELECT a FROM numbers")
		require.NoError(t, err)
	}
}

func TestRegisterIsRefused(t *testing.T) {
	_, client, socket := scene(t)
	first, _ := start(t, client, socket, numbers("numbers", three))
	_, err := wire.Register(t.Context(), client, socket, &osquery.InternalExtensionInfo{Name: "e"}, nil, numbers("others", three))
	require.ErrorContains(t, err, "Duplicate extension registered")
	_, err = wire.Register(t.Context(), client, socket, &osquery.InternalExtensionInfo{Name: "f"}, nil, logger.NewPlugin("l", nil))
	require.ErrorContains(t, err, "l is a logger, not a table")
	require.NoError(t, first.Stop(t.Context()))
	second, err := wire.Register(t.Context(), client, socket, &osquery.InternalExtensionInfo{Name: "e"}, nil, numbers("others", three))
	require.NoError(t, err)
	require.NoError(t, second.Stop(t.Context())) // never served
	require.Eventually(t, func() bool { return len(socketsBeside(t, socket)) == 0 }, patience, 5*time.Millisecond)
}

// TestRegisterTakesBackWhatItCannotServe: the manager's socket is named where no directory is.
func TestRegisterTakesBackWhatItCannotServe(t *testing.T) {
	_, client, socket := scene(t)
	_, err := wire.Register(t.Context(), client, socket+"/nowhere", &osquery.InternalExtensionInfo{Name: "e"}, nil, numbers("numbers", three))
	require.Error(t, err)
	list, err := client.Extensions()
	require.NoError(t, err)
	require.Empty(t, list)
}
