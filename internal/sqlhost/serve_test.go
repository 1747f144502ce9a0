package sqlhost

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

// Limits for waiting on a condition.
const (
	waitLimit = 10 * time.Second
	waitStep  = 2 * time.Millisecond
)

// message is a Thrift binary call of the strict kind: version, name, sequence number, then the arguments.
func message(name string, arguments ...byte) []byte {
	b := []byte{0x80, 0x01, 0x00, 0x01}
	b = binary.BigEndian.AppendUint32(b, uint32(len(name)))
	b = append(b, name...)
	b = append(b, 0, 0, 0, 1)
	return append(b, arguments...)
}

func rubbish() map[string][]byte {
	return map[string][]byte{
		"nothing":                  nil,
		"text":                     []byte("GET / HTTP/1.1\r\n\r\n"),
		"zeroes":                   make([]byte, 64),
		"half a header":            {0x80, 0x01},
		"huge name":                {0x80, 0x01, 0, 1, 0x7f, 0xff, 0xff, 0xff, 'x'},
		"negative name":            {0x80, 0x01, 0, 1, 0xff, 0xff, 0xff, 0xff},
		"call without arguments":   message("query"),
		"unknown method":           message("launch", 0),
		"query that is no string":  message("query", 8, 0, 1, 0, 0, 0, 5, 0),
		"query of a huge size":     message("query", 11, 0, 1, 0x7f, 0xff, 0xff, 0xff, 'S'),
		"registration of nothing":  message("registerExtension", 0),
		"list of a million fields": message("registerExtension", 13, 0, 2, 11, 13, 0x7f, 0xff, 0xff, 0xff),
		"nested deeply":            message("ping", repeated(12, 0, 1, 100)...),
	}
}

func repeated(a, b, c byte, n int) []byte {
	var out []byte
	for range n {
		out = append(out, a, b, c)
	}
	return out
}

// TestRubbishIsSurvived sends each kind of nonsense and asks properly after it.
func TestRubbishIsSurvived(t *testing.T) {
	h := newHost(t, quick, numbersTable("numbers", 1))
	socket, _ := serve(t, h)
	client, err := osquerygo.NewClient(socket, 5*time.Second)
	require.NoError(t, err)
	defer client.Close()
	for name, bytes := range rubbish() {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", socket)
			require.NoError(t, err)
			_, err = conn.Write(bytes)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.UnixConn).CloseWrite())
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(waitLimit)))
			_, err = io.Copy(io.Discard, conn)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the host hangs up")
			conn.Close()
			_, err = client.QueryRows("SELECT * FROM numbers")
			require.NoError(t, err)
		})
	}
}

// FuzzServe gives the Thrift side any bytes.
func FuzzServe(f *testing.F) {
	for _, bytes := range rubbish() {
		f.Add(bytes)
	}
	f.Add(append(message("query", 11, 0, 1, 0, 0, 0, 8), "SELECT 1\x00"...))
	h := newHost(f, Config{QueryTimeout: 100 * time.Millisecond, Timeout: 100 * time.Millisecond}, numbersTable("numbers", 1))
	socket, _ := serve(f, h)
	f.Fuzz(func(t *testing.T, bytes []byte) {
		conn, err := net.Dial("unix", socket)
		require.NoError(t, err)
		defer conn.Close()
		_, _ = conn.Write(bytes) // the host may have hung up already
		_ = conn.(*net.UnixConn).CloseWrite()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(waitLimit)))
		_, err = io.Copy(io.Discard, conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Len(t, query(t, h, "SELECT * FROM numbers"), 1)
	})
}

func TestClientThatHangsUpEndsItsStatement(t *testing.T) {
	entered := make(chan struct{})
	ended := make(chan error, 1)
	waits := table.NewPlugin("waits", []table.ColumnDefinition{table.TextColumn("x")}, func(ctx context.Context, _ table.QueryContext) ([]map[string]string, error) {
		close(entered)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	h := newHost(t, Config{Timeout: time.Hour, QueryTimeout: time.Hour}, waits)
	socket, _ := serve(t, h)
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	sql := "SELECT * FROM waits"
	_, err = conn.Write(append(append(message("query", 11, 0, 1, 0, 0, 0, byte(len(sql))), sql...), 0))
	require.NoError(t, err)
	<-entered
	require.NoError(t, conn.Close())
	select {
	case <-ended:
	case <-time.After(waitLimit):
		t.Fatal("the statement still runs")
	}
	require.Eventually(t, func() bool { return len(h.slots) == 0 }, waitLimit, waitStep)
}

func TestConnectionsAreBounded(t *testing.T) {
	h := newHost(t, quick)
	socket, _ := serve(t, h)
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	for range maxConnections {
		conn, err := net.Dial("unix", socket)
		require.NoError(t, err)
		open = append(open, conn)
	}
	extra, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer extra.Close()
	require.NoError(t, extra.SetReadDeadline(time.Now().Add(waitLimit)))
	_, err = extra.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	open[0].Close()
	require.Eventually(t, func() bool {
		client, err := osquerygo.NewClient(socket, time.Second)
		if err != nil {
			return false
		}
		defer client.Close()
		_, err = client.Ping()
		return err == nil
	}, waitLimit, 10*waitStep)
}

func TestPeerThatStopsReadingIsLeft(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &boundedConn{Conn: ours, stall: 20 * time.Millisecond}
	_, err := c.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestPeerThatSendsTooMuchIsLeft(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() {
		_, _ = theirs.Write([]byte("12345"))
	}()
	c := &boundedConn{Conn: ours, left: 3}
	read, err := io.ReadAll(c)
	require.ErrorIs(t, err, errTooMuch)
	require.Equal(t, "123", string(read))
	theirs.Close()
}

func TestManyTablesAreRefused(t *testing.T) {
	socket, _ := serve(t, newHost(t, quick))
	server, err := osquerygo.NewExtensionManagerServer("many", socket)
	require.NoError(t, err)
	for i := range maxTables + 1 {
		server.RegisterPlugin(numbersTable(fmt.Sprintf("t%d", i), 0))
	}
	require.ErrorContains(t, server.Start(), "257 tables are more than 256")
}

// TestNothingIsLeftRunning counts goroutines around a host's whole life. The extension is another process, because
// osquery-go's own Run leaves a goroutine behind when both of its ends come at once.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	h := newHost(t, quick, numbersTable("numbers", 2))
	socket, stop := serve(t, h)
	extension := startProcess(t, socket)
	waitForTable(t, h, "killable")
	client, err := osquerygo.NewClient(socket, time.Second)
	require.NoError(t, err)
	_, err = client.QueryRows("SELECT * FROM numbers JOIN killable USING (n)")
	require.NoError(t, err)
	client.Close()
	stop()
	require.NoError(t, extension.Wait(), "the extension was asked to shut down")
	h.Close()
	if !eventually(func() bool { return runtime.NumGoroutine() <= before }) {
		stacks := make([]byte, 1<<16)
		t.Fatalf("%d goroutines, not %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	}
}

// eventually waits for a condition without a goroutine of its own.
func eventually(condition func() bool) bool {
	for deadline := time.Now().Add(waitLimit); !condition(); runtime.Gosched() {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// spoiler is a listener whose connections break after some bytes written: how a test makes a host misbehave.
type spoiler struct {
	net.Listener
	after atomic.Int64
}

func (s *spoiler) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &spoiled{conn, s}, nil
}

type spoiled struct {
	net.Conn
	spoiler *spoiler
}

func (s *spoiled) Write(b []byte) (int, error) {
	if s.spoiler.after.Add(-int64(len(b))) < 0 {
		s.Close()
		return 0, io.ErrClosedPipe
	}
	return s.Conn.Write(b)
}

func TestListenerMayBeWrapped(t *testing.T) {
	h := newHost(t, quick, numbersTable("numbers", 1000))
	inner, err := Listen(privateDir(t) + "/s")
	require.NoError(t, err)
	listener := &spoiler{Listener: inner}
	listener.after.Store(1 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.ServeListener(ctx, listener) }()
	client, err := osquerygo.NewClient(inner.Addr().String(), 5*time.Second)
	require.NoError(t, err)
	defer client.Close()
	_, err = client.QueryRows("SELECT * FROM numbers")
	require.NoError(t, err)
	listener.after.Store(100)
	_, err = client.QueryRows("SELECT * FROM numbers")
	require.ErrorContains(t, err, "EOF")
	cancel()
	require.NoError(t, <-done)
}
