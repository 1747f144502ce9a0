package sqlhost

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// bufferSize is the size of Thrift's transport buffers; unbuffered, every value is a system call.
const bufferSize = 64 << 10

// maxMessageBytes bounds one string or container a peer announces.
const maxMessageBytes = 64 << 20

// extension is a registered extension, reached at <manager socket>.<uuid> as osquery does, one connection per call.
type extension struct {
	uuid       osquery.ExtensionRouteUUID
	info       osquery.InternalExtensionInfo
	manager    string // the manager socket it registered over
	socket     string
	registered time.Time
	stall      time.Duration // how long it may leave a request unread
	answered   atomic.Bool   // it has answered anything yet
}

// with runs f with a client of the extension. The connection is closed when f returns or ctx ends, which ends f.
func (e *extension) with(ctx context.Context, f func(*osquery.ExtensionClient) error) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", e.socket)
	if err != nil {
		return fmt.Errorf("extension %s: %w", e.info.Name, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	protocol := newProtocol(&boundedConn{Conn: conn, left: maxAnswerBytes, stall: e.stall})
	err = f(osquery.NewExtensionClient(thrift.NewTStandardClient(protocol, protocol)))
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("extension %s: %w", e.info.Name, err)
	}
	e.answered.Store(true)
	return nil
}

func newProtocol(conn net.Conn) thrift.TProtocol {
	config := &thrift.TConfiguration{MaxMessageSize: maxMessageBytes}
	socket := thrift.NewTSocketFromConnConf(conn, config)
	return thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(socket, bufferSize), config)
}

// remote is one of an extension's tables.
type remote struct {
	*extension
	table string
}

func (r remote) call(ctx context.Context, request osquery.ExtensionPluginRequest) (answer wire.Answer, err error) {
	err = r.with(ctx, func(c *osquery.ExtensionClient) error {
		response, err := c.Call(ctx, "table", r.table, request)
		if err == nil {
			answer = wire.Answer{Status: response.Status, Maps: response.Response}
		}
		return err
	})
	return answer, err
}

func (r remote) rows(ctx context.Context, request osquery.ExtensionPluginRequest, reads reading) (*osquery.ExtensionStatus, *wire.Rows, error) {
	a := wire.Reader{Rows: reads.table.names.Rows(reads.used)}
	err := r.with(ctx, func(c *osquery.ExtensionClient) error {
		_, err := c.Client_().Call(ctx, "call", &osquery.ExtensionCallArgs{Registry: "table", Item: r.table, Request: request}, &a)
		return err
	})
	return a.Status, a.Rows, err
}

func (e *extension) ping(ctx context.Context) error {
	return e.with(ctx, func(c *osquery.ExtensionClient) error {
		status, err := c.Ping(ctx)
		if err == nil && status.Code != 0 {
			err = fmt.Errorf("status %d: %s", status.Code, status.Message)
		}
		return err
	})
}

// shutdown asks the extension to end, as osqueryd does when it ends.
func (e *extension) shutdown(ctx context.Context) error {
	return e.with(ctx, func(c *osquery.ExtensionClient) error { return c.Shutdown(ctx) })
}
