package main

import (
	"context"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// encoding makes the transports of a Thrift server: buffered, and with something around the encoding of each answer, which is as much
// work as making the rows.
type encoding struct {
	begin func() (end func())
}

// GetTransport is thrift.TTransportFactory.
func (e encoding) GetTransport(t thrift.TTransport) (thrift.TTransport, error) {
	return &encoded{TBufferedTransport: thrift.NewTBufferedTransport(t, wire.BufferSize), begin: e.begin}, nil
}

// encoded begins with the first byte of an answer and ends when it is flushed. Both happen on the goroutine of the connection, which
// ends with it where that fails.
type encoded struct {
	*thrift.TBufferedTransport
	begin func() (end func())
	end   func()
}

func (e *encoded) start() {
	if e.end == nil {
		e.end = e.begin()
	}
}

// Write, WriteByte and WriteString are all by which thrift.TBinaryProtocol writes.
func (e *encoded) Write(b []byte) (int, error) {
	e.start()
	return e.TBufferedTransport.Write(b)
}

// WriteByte is io.ByteWriter.
func (e *encoded) WriteByte(b byte) error {
	e.start()
	return e.TBufferedTransport.WriteByte(b)
}

// WriteString is io.StringWriter.
func (e *encoded) WriteString(s string) (int, error) {
	e.start()
	return e.TBufferedTransport.WriteString(s)
}

// Flush ends the answer.
func (e *encoded) Flush(ctx context.Context) error {
	if e.end != nil {
		defer func() {
			e.end()
			e.end = nil
		}()
	}
	return e.TBufferedTransport.Flush(ctx)
}
