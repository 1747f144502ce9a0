package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	gen "github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// relayed is a table whose rows come from the running sensor: a second instance, for instance one that osquery autoloads
// beside our own service, is a relay and never a second sensor.
type relayed struct {
	table.Table // for name, columns and description
	socket      string
	timeout     time.Duration
}

// Call is Answer as osquery-go has it.
func (r *relayed) Call(ctx context.Context, request gen.ExtensionPluginRequest) gen.ExtensionResponse {
	return r.Answer(ctx, request).Response()
}

// Answer hands the request to the sensor's own socket, unchanged.
func (r *relayed) Answer(ctx context.Context, request gen.ExtensionPluginRequest) wire.Answer {
	if request["action"] != "generate" {
		return r.Table.Answer(ctx, request)
	}
	answer, err := r.ask(ctx, request)
	if err != nil {
		return refusal(fmt.Errorf("%s: the running sensor does not answer on %s: %w", r.Name(), r.socket, err))
	}
	return answer
}

func (r *relayed) ask(ctx context.Context, request gen.ExtensionPluginRequest) (wire.Answer, error) {
	if err := shell.CheckSocket(r.socket); err != nil {
		return wire.Answer{}, err
	}
	conf := &thrift.TConfiguration{ConnectTimeout: r.timeout, SocketTimeout: r.timeout}
	conn := thrift.NewTBufferedTransport(thrift.NewTSocketFromAddrConf(&net.UnixAddr{Name: r.socket, Net: "unix"}, conf), 16*1024)
	if err := conn.Open(); err != nil {
		return wire.Answer{}, err
	}
	defer conn.Close()
	protocol := thrift.NewTBinaryProtocolConf(conn, conf)
	read := wire.Reader{Rows: r.Columns().Rows(nil)}
	_, err := thrift.NewTStandardClient(protocol, protocol).Call(ctx, "call",
		&gen.ExtensionCallArgs{Registry: "table", Item: r.Name(), Request: request}, &read)
	if err == nil && read.Status == nil {
		err = errors.New("the answer has no status")
	}
	return wire.Answer{Status: read.Status, Rows: read.Rows}, err
}
