package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	osquery "github.com/osquery/osquery-go"
	gen "github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// relayed is a table whose rows come from the running sensor: a second instance, for instance one that osquery autoloads
// beside our own service, is a relay and never a second sensor.
type relayed struct {
	osquery.OsqueryPlugin // for name, columns and description
	socket                string
	timeout               time.Duration
}

// Call hands the request to the sensor's own socket, unchanged.
func (r *relayed) Call(ctx context.Context, request gen.ExtensionPluginRequest) gen.ExtensionResponse {
	if request["action"] != "generate" {
		return r.OsqueryPlugin.Call(ctx, request)
	}
	response, err := r.ask(ctx, request)
	if err != nil {
		return refusal(fmt.Errorf("%s: the running sensor does not answer on %s: %w", r.Name(), r.socket, err)).Response()
	}
	return *response
}

func (r *relayed) ask(ctx context.Context, request gen.ExtensionPluginRequest) (*gen.ExtensionResponse, error) {
	if err := shell.CheckSocket(r.socket); err != nil {
		return nil, err
	}
	conf := &thrift.TConfiguration{ConnectTimeout: r.timeout, SocketTimeout: r.timeout}
	conn := thrift.NewTBufferedTransport(thrift.NewTSocketFromAddrConf(&net.UnixAddr{Name: r.socket, Net: "unix"}, conf), 16*1024)
	if err := conn.Open(); err != nil {
		return nil, err
	}
	defer conn.Close()
	client := gen.NewExtensionManagerClientFactory(conn, thrift.NewTBinaryProtocolFactoryConf(conf))
	return client.Call(ctx, "table", r.Name(), request)
}
