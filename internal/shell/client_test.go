package shell

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/test/need"
)

func dial(t testing.TB, socket string) *Client {
	t.Helper()
	c, err := Dial(socket, 5*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestClient(t *testing.T) {
	socket, _ := serve(t, newHost(t, numbers(3)))
	c := dial(t, socket)
	require.NoError(t, c.Ping(t.Context()))
	columns, rows, err := c.Query(t.Context(), "SELECT word, n, n + 0 AS a, word FROM numbers WHERE n > 0 ORDER BY n DESC")
	require.NoError(t, err)
	require.Equal(t, []string{"word", "n", "a"}, columns, "the statement's order; osquery sends one of a name")
	require.Equal(t, [][]string{{"w2\x1b[2J", "2", "2"}, {"w1\x1b[2J", "1", "1"}}, rows)
	names, types, err := c.Columns(t.Context(), "SELECT * FROM numbers")
	require.NoError(t, err)
	require.Equal(t, []string{"n", "word"}, names)
	require.Equal(t, []string{"BIGINT", "TEXT"}, types)
	called, err := c.Call(t.Context(), "table", "numbers", map[string]string{"action": "generate", "context": "{}"})
	require.NoError(t, err)
	require.Len(t, called, 3)
}

func TestClientReportsTheStatus(t *testing.T) {
	socket, _ := serve(t, newHost(t))
	c := dial(t, socket)
	_, _, err := c.Query(t.Context(), "SELECT nope FROM time")
	var status *StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, StatusError{Code: 1, Message: "no such column: nope"}, *status)
	require.EqualError(t, err, "no such column: nope")
	_, err = c.Call(t.Context(), "table", "nope", map[string]string{"action": "generate"})
	require.ErrorAs(t, err, &status)
	_, _, err = c.Query(t.Context(), "SELECT 1")
	require.NoError(t, err, "the connection is kept")
}

func TestClientOutlivesItsHost(t *testing.T) {
	h := newHost(t, numbers(1))
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	socket := filepath.Join(dir, "s")
	start := func() func() {
		ctx, cancel := context.WithCancel(context.Background())
		listener, err := sqlhost.Listen(socket)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- h.ServeListener(ctx, listener) }()
		return func() { cancel(); <-done }
	}
	stop := start()
	c := dial(t, socket)
	stop()
	_, _, err := c.Query(t.Context(), "SELECT 1")
	require.Error(t, err)
	_, _, err = c.Query(t.Context(), "SELECT 1")
	require.ErrorIs(t, err, ErrNoSocket)
	stop = start()
	defer stop()
	_, rows, err := c.Query(t.Context(), "SELECT 1")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"1"}}, rows)
}

func TestClientGivesUpInTime(t *testing.T) {
	entered := make(chan struct{}, 2)
	waits := table.NewPlugin("waits", []table.ColumnDefinition{table.TextColumn("x")}, func(ctx context.Context, _ table.QueryContext) ([]map[string]string, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	socket, _ := serve(t, newHost(t, waits))
	c, err := Dial(socket, 50*time.Millisecond)
	require.NoError(t, err)
	defer c.Close()
	_, _, err = c.Query(t.Context(), "SELECT * FROM waits")
	require.EqualError(t, err, "ask "+socket+": no answer within 50ms")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		<-entered
		cancel()
	}()
	patient := dial(t, socket)
	_, _, err = patient.Query(ctx, "SELECT * FROM waits")
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = patient.Query(t.Context(), "SELECT 1")
	require.NoError(t, err, "a new connection is made")
}

func TestAnswersAreBounded(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		_, _ = theirs.Write([]byte("12345"))
	}()
	read, err := io.ReadAll(&boundedConn{Conn: ours, left: 3})
	require.EqualError(t, err, "the answer is longer than 1024 MiB")
	require.Equal(t, "123", string(read))
}

// TestClientSurvivesRubbish has the peer answer nonsense, or nothing.
func TestClientSurvivesRubbish(t *testing.T) {
	for name, answer := range map[string][]byte{
		"hangs up":      nil,
		"text":          []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"huge message":  {0x80, 1, 0, 2, 0x7f, 0xff, 0xff, 0xff},
		"wrong method":  {0x80, 1, 0, 2, 0, 0, 0, 1, 'x', 0, 0, 0, 1, 0},
		"no result":     append([]byte{0x80, 1, 0, 2, 0, 0, 0, 4}, "ping\x00\x00\x00\x01\x00"...),
		"cut in middle": append([]byte{0x80, 1, 0, 2, 0, 0, 0, 4}, "ping\x00\x00\x00\x01\x0c\x00\x00\x08"...),
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			listener, err := net.Listen("unix", socket)
			require.NoError(t, err)
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 1024))
					_, _ = conn.Write(answer)
					_ = conn.(*net.UnixConn).CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
					conn.Close()
				}
			}()
			_, err = Dial(socket, 5*time.Second)
			require.Error(t, err)
			require.ErrorContains(t, err, "ask "+socket)
		})
	}
}

func TestSocketsThatAreNotTrusted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	dead := filepath.Join(dir, "dead")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	require.NoError(t, err)
	listener.SetUnlinkOnClose(false)
	listener.Close()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no osquery there: there is no socket " + filepath.Join(dir, "none"),
		file:                       "no osquery there: " + file + " is not a socket",
		dead:                       "no osquery there: nobody answers at " + dead,
	} {
		_, err := Dial(path, time.Second)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrNoSocket)
	}
}

func TestForeignSocket(t *testing.T) {
	need.Root(t)
	socket, _ := serve(t, newHost(t))
	require.NoError(t, os.Chown(socket, 12345, 12345))
	_, err := Dial(socket, time.Second)
	require.ErrorIs(t, err, ErrForeignSocket)
	require.EqualError(t, err, "socket of another user: "+socket+" belongs to user 12345, not to root or user 0")
}

// BenchmarkCandidates is 5 000 rows of 30 columns from a host's socket to the client.
func BenchmarkCandidates(b *testing.B) {
	var columns []table.ColumnDefinition
	row := map[string]string{}
	for i := range 30 {
		name := "column_" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		columns = append(columns, table.TextColumn(name, table.AdditionalColumn()))
		row[name] = "/usr/lib/systemd/systemd"
	}
	rows := make([]map[string]string, 5000)
	for i := range rows {
		rows[i] = row
	}
	wide := table.NewPlugin("wide", columns, func(context.Context, table.QueryContext) ([]map[string]string, error) { return rows, nil })
	socket, _ := serve(b, newHost(b, wide))
	c := dial(b, socket)
	b.ReportAllocs()
	for b.Loop() {
		_, got, err := c.Query(context.Background(), "SELECT * FROM wide")
		if err != nil || len(got) != 5000 {
			b.Fatal(len(got), err)
		}
	}
}
