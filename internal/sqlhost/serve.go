package sqlhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// maxConnections bounds the clients of one socket; further ones are closed at once.
const maxConnections = 128

// Serve answers osquery's protocol at socketPath until ctx ends, then returns nil. It makes the socket as Listen does,
// pings the extensions that register, and asks them to shut down at the end.
func (h *Host) Serve(ctx context.Context, socketPath string) error {
	listener, err := Listen(socketPath)
	if err != nil {
		return err
	}
	return h.ServeListener(ctx, listener)
}

// ServeListener is Serve on a listener of the caller's, which it closes. The listener's address is the manager socket:
// extensions listen at that path with their identifier appended. A wrapped listener sees, and may spoil, every byte.
func (h *Host) ServeListener(ctx context.Context, listener net.Listener) error {
	socket := listener.Addr().String()
	h.mu.Lock()
	h.sockets = append(h.sockets, socket)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sockets = slices.DeleteFunc(h.sockets, func(s string) bool { return s == socket })
	}()

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer h.release(socket) // when no client can register any more
	defer wg.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	wg.Go(func() { h.watch(ctx, socket) })

	m := &manager{host: h, socket: socket}
	processor := osquery.NewExtensionManagerProcessor(m)
	wire.AnswerCalls(processor, m.call)
	wire.AnswerQueries(processor, m.query)
	places := make(chan struct{}, maxConnections)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
				h.config.Logger.Warn("accept", "err", err)
				pause(ctx, 100*time.Millisecond)
				continue
			}
			return fmt.Errorf("sqlhost: serve %s: %w", socket, err)
		}
		select {
		case places <- struct{}{}:
		default:
			h.config.Logger.Warn("too many clients", "limit", maxConnections)
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-places }()
			h.converse(ctx, processor, conn)
		})
	}
}

// converse answers the requests of one client until it goes, talks nonsense, or ctx ends.
func (h *Host) converse(ctx context.Context, processor thrift.TProcessor, conn net.Conn) {
	defer func() {
		if r := recover(); r != nil {
			h.config.Logger.Error("client handler panicked", "panic", r)
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	bounded := &boundedConn{Conn: conn, stall: h.config.Timeout}
	protocol := newProtocol(bounded.watchable())
	for ctx.Err() == nil {
		bounded.left = maxRequestBytes
		var more bool
		var err error
		h.config.Around(func() { more, err = processor.Process(ctx, protocol, protocol) })
		var unknown thrift.TApplicationException
		if errors.As(err, &unknown) && unknown.TypeId() == thrift.UNKNOWN_METHOD {
			continue
		}
		if err != nil || !more {
			return
		}
	}
}

// release asks the extensions of a socket to shut down and forgets them.
func (h *Host) release(socket string) {
	ctx, cancel := context.WithTimeout(context.Background(), min(h.config.Timeout, time.Second))
	defer cancel()
	var wg sync.WaitGroup
	for _, e := range h.snapshot() {
		if e.manager != socket {
			continue
		}
		h.deregister(e.uuid, "the host ends")
		wg.Go(func() { _ = e.shutdown(ctx) }) // it may be gone already
	}
	wg.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
