package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// maxConnections bounds how many connections a sink holds at once; more are closed at once and counted as refused.
const maxConnections = 1024

// Sink is the far end of live senders: it reads, discards and counts. It never answers.
type Sink struct {
	listener net.Listener
	packets  net.PacketConn

	connections, refused, datagrams, bytes atomic.Uint64

	mu   sync.Mutex // guards open
	open map[net.Conn]struct{}
}

// Totals is what a sink has received so far.
type Totals struct {
	Connections, Refused, Datagrams, Bytes uint64
}

// Listen opens a sink on a tcp or udp network and address; port 0 takes a free one. Senders may connect from now on, but
// nothing is read before Run.
func Listen(ctx context.Context, network, address string) (*Sink, error) {
	s := &Sink{open: map[net.Conn]struct{}{}}
	var config net.ListenConfig
	var err error
	if strings.HasPrefix(network, "udp") {
		s.packets, err = config.ListenPacket(ctx, network, address)
	} else {
		s.listener, err = config.Listen(ctx, network, address)
	}
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	return s, nil
}

// Addr returns where the sink listens.
func (s *Sink) Addr() net.Addr {
	if s.packets != nil {
		return s.packets.LocalAddr()
	}
	return s.listener.Addr()
}

// Totals may be called at any time from any goroutine.
func (s *Sink) Totals() Totals {
	return Totals{
		Connections: s.connections.Load(), Refused: s.refused.Load(),
		Datagrams: s.datagrams.Load(), Bytes: s.bytes.Load(),
	}
}

// Run receives until ctx is done, then closes everything, waits for its goroutines and returns nil. Call it once.
func (s *Sink) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	var err error
	if s.packets != nil {
		err = s.receive()
	} else {
		err = s.accept()
	}
	s.close()
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("sink: %w", err)
}

func (s *Sink) accept() error {
	var readers sync.WaitGroup
	defer readers.Wait()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			s.closeConnections()
			return err
		}
		if !s.keep(conn) {
			s.refused.Add(1)
			conn.Close()
			continue
		}
		s.connections.Add(1)
		readers.Go(func() {
			defer s.forget(conn)
			// a sender that resets its connection has ended it, however rudely
			_, _ = io.Copy(counter{&s.bytes}, conn)
		})
	}
}

func (s *Sink) receive() error {
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := s.packets.ReadFrom(buffer)
		if err != nil {
			return err
		}
		s.datagrams.Add(1)
		s.bytes.Add(uint64(n))
	}
}

func (s *Sink) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxConnections {
		return false
	}
	s.open[conn] = struct{}{}
	return true
}

func (s *Sink) forget(conn net.Conn) {
	s.mu.Lock()
	delete(s.open, conn)
	s.mu.Unlock()
	conn.Close()
}

func (s *Sink) close() {
	if s.packets != nil {
		s.packets.Close()
		return
	}
	s.listener.Close()
	s.closeConnections()
}

func (s *Sink) closeConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		conn.Close()
	}
}

// counter counts what is written to it.
type counter struct{ bytes *atomic.Uint64 }

func (c counter) Write(p []byte) (int, error) {
	c.bytes.Add(uint64(len(p)))
	return len(p), nil
}
