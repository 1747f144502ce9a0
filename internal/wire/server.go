package wire

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/apache/thrift/lib/go/thrift"
	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/gen/osquery"
)

// BufferSize is that of a connection's buffers. Without them each value is a system call.
const BufferSize = 64 << 10

// Server is an extension registered with an osquery: it answers ping, call and shutdown at the socket where osquery looks for it.
// osquery-go's server does the same, but only with a map for each row.
type Server struct {
	client *osquerygo.ExtensionManagerClient
	uuid   osquery.ExtensionRouteUUID
	tables map[string]osquerygo.OsqueryPlugin
	server *thrift.TSimpleServer
}

// Register registers the tables as one extension with the osquery that client talks to, whose own socket is at socket. Stop the
// server, whether it was ever served or not. The client stays the caller's. transports make those of the server's connections,
// with buffers of BufferSize if it is nil.
func Register(ctx context.Context, client *osquerygo.ExtensionManagerClient, socket string, info *osquery.InternalExtensionInfo,
	transports thrift.TTransportFactory, tables ...osquerygo.OsqueryPlugin) (*Server, error) {
	if transports == nil {
		transports = thrift.NewTBufferedTransportFactory(BufferSize)
	}
	s := &Server{client: client, tables: map[string]osquerygo.OsqueryPlugin{}}
	routes := osquery.ExtensionRouteTable{}
	for _, t := range tables {
		if t.RegistryName() != "table" {
			return nil, fmt.Errorf("wire: %s is a %s, not a table", t.Name(), t.RegistryName())
		}
		s.tables[t.Name()], routes[t.Name()] = t, t.Routes()
	}
	status, err := client.RegisterExtensionContext(ctx, info, osquery.ExtensionRegistry{"table": routes})
	if err != nil {
		return nil, fmt.Errorf("registering extension: %w", err)
	}
	if status.Code != 0 {
		return nil, fmt.Errorf("status %d registering extension: %s", status.Code, status.Message)
	}
	s.uuid = status.UUID
	processor := osquery.NewExtensionProcessor(s)
	AnswerCalls(processor, s.answer)
	s.server = thrift.NewTSimpleServer4(processor,
		thrift.NewTServerSocketFromAddrTimeout(&net.UnixAddr{Name: fmt.Sprintf("%s.%d", socket, s.uuid), Net: "unix"}, 0),
		transports, thrift.NewTBinaryProtocolFactoryConf(nil))
	s.server.SetLogContext(context.WithoutCancel(ctx))
	if err := s.server.Listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("wire: %w", err), s.deregister(ctx))
	}
	return s, nil
}

// Serve answers osquery until it asks the extension to shut down, or until Stop.
func (s *Server) Serve() error { return s.server.AcceptLoop() }

// Stop ends the registration. Calls in progress end in the background, and then Serve does.
func (s *Server) Stop(ctx context.Context) error {
	err := s.deregister(ctx)
	go s.server.Stop()
	return err
}

func (s *Server) deregister(ctx context.Context) error {
	status, err := s.client.DeregisterExtensionContext(ctx, s.uuid)
	if err == nil && status.Code != 0 {
		err = fmt.Errorf("status %d: %s", status.Code, status.Message)
	}
	if err != nil {
		return fmt.Errorf("deregistering extension: %w", err)
	}
	return nil
}

// Ping is how osquery sees that the extension lives.
func (s *Server) Ping(context.Context) (*osquery.ExtensionStatus, error) {
	return &osquery.ExtensionStatus{Message: "OK"}, nil
}

// Shutdown is how osquery ends it.
func (s *Server) Shutdown(context.Context) error {
	go s.server.Stop() // waits for the call that this is
	return nil
}

// Call is there because osquery.Extension wants it: answer answers in its place.
func (s *Server) Call(ctx context.Context, registry, item string, request osquery.ExtensionPluginRequest) (*osquery.ExtensionResponse, error) {
	response := s.answer(ctx, registry, item, request).Response()
	return &response, nil
}

func (s *Server) answer(ctx context.Context, registry, item string, request osquery.ExtensionPluginRequest) Answer {
	if t := s.tables[item]; registry == "table" && t != nil {
		return Ask(ctx, t, request)
	}
	return Answer{Status: &osquery.ExtensionStatus{Code: 1, Message: fmt.Sprintf("Unknown registry item: %s %s", registry, item)}}
}
