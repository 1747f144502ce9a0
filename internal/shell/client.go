package shell

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
)

const (
	bufferSize = 16 << 10
	// maxMessageBytes bounds one string or list a peer announces, maxAnswerBytes the whole of an answer.
	maxMessageBytes = 256 << 20
	maxAnswerBytes  = 1 << 30
)

// Client asks an osquery extension manager socket: osqueryd's, osqueryi's or an embedded host's. Its methods may be called
// concurrently and wait for each other. A connection that broke is made anew by the next call, after the same checks.
type Client struct {
	path    string
	timeout time.Duration

	mu      sync.Mutex
	conn    *boundedConn
	manager *osquery.ExtensionManagerClient
}

// Dial checks the socket (see CheckSocket) and connects. timeout bounds connecting and each answer whose context has no
// deadline; 0 is no bound.
func Dial(path string, timeout time.Duration) (*Client, error) {
	c := &Client{path: path, timeout: timeout}
	if err := c.do(context.Background(), func(m *osquery.ExtensionManagerClient) error {
		_, err := m.Ping(context.Background())
		return err
	}); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disconnect()
	return nil
}

// Ping asks whether the manager is there.
func (c *Client) Ping(ctx context.Context) error {
	return c.do(ctx, func(m *osquery.ExtensionManagerClient) error {
		status, err := m.Ping(ctx)
		return statusError(status, err)
	})
}

// Query runs one statement. Columns are in the statement's order; of columns with the same name osquery sends one.
func (c *Client) Query(ctx context.Context, sql string) (columns []string, rows [][]string, err error) {
	names, _, err := c.Columns(ctx, sql)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	err = c.do(ctx, func(m *osquery.ExtensionManagerClient) error {
		response, err := m.Query(ctx, sql)
		if err := responseError(response, err); err != nil {
			return err
		}
		rows = make([][]string, len(response.Response))
		for i, named := range response.Response {
			rows[i] = make([]string, len(columns))
			for j, name := range columns {
				rows[i][j] = named[name]
			}
		}
		return nil
	})
	return columns, rows, err
}

// Columns returns the names and types of a statement's columns without running it.
func (c *Client) Columns(ctx context.Context, sql string) (names, types []string, err error) {
	err = c.do(ctx, func(m *osquery.ExtensionManagerClient) error {
		response, err := m.GetQueryColumns(ctx, sql)
		if err := responseError(response, err); err != nil {
			return err
		}
		for _, column := range response.Response {
			for name, kind := range column {
				names, types = append(names, name), append(types, kind)
			}
		}
		return nil
	})
	return names, types, err
}

// Call passes a request to a plugin, for instance ("table", name, {"action": "generate", "context": …}), and returns the
// rows it answers.
func (c *Client) Call(ctx context.Context, registry, item string, request map[string]string) (rows []map[string]string, err error) {
	err = c.do(ctx, func(m *osquery.ExtensionManagerClient) error {
		response, err := m.Call(ctx, registry, item, request)
		if err := responseError(response, err); err != nil {
			return err
		}
		rows = response.Response
		return nil
	})
	return rows, err
}

// do runs f with a connected manager. When ctx ends, or the transport fails, the connection is closed.
func (c *Client) do(ctx context.Context, f func(*osquery.ExtensionManagerClient) error) error {
	if _, bounded := ctx.Deadline(); !bounded && c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %v", c.timeout))
		defer cancel()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.connect(ctx); err != nil {
		return err
	}
	conn := c.conn
	conn.left = maxAnswerBytes
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := f(c.manager)
	interrupted := !stop()
	var failed *StatusError
	if err == nil || errors.As(err, &failed) {
		if interrupted {
			c.disconnect()
		}
		return err
	}
	c.disconnect()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("ask %s: %w", c.path, err)
}

func (c *Client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	if err := CheckSocket(c.path); err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", c.path)
	if err != nil {
		return describeDial(c.path, err)
	}
	c.conn = &boundedConn{Conn: conn}
	config := &thrift.TConfiguration{MaxMessageSize: maxMessageBytes}
	protocol := thrift.NewTBinaryProtocolConf(
		thrift.NewTBufferedTransport(thrift.NewTSocketFromConnConf(c.conn, config), bufferSize), config)
	c.manager = osquery.NewExtensionManagerClient(thrift.NewTStandardClient(protocol, protocol))
	return nil
}

// boundedConn refuses to read more than left bytes.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d MiB", maxAnswerBytes>>20)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (c *Client) disconnect() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn, c.manager = nil, nil
	}
}

// StatusError is what the manager answered instead of rows: SQLite's words, or a table's.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("status %d", e.Code)
	}
	return e.Message
}

func responseError(response *osquery.ExtensionResponse, err error) error {
	if response == nil {
		return statusError(nil, err)
	}
	return statusError(response.Status, err)
}

func statusError(status *osquery.ExtensionStatus, err error) error {
	switch {
	case err != nil:
		return err
	case status == nil:
		return errors.New("the response has no status")
	case status.Code != 0:
		return &StatusError{Code: int(status.Code), Message: status.Message}
	}
	return nil
}
