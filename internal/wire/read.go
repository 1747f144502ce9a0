package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
)

// maxString bounds a string that a peer announces.
const maxString = 64 << 20

// Reader reads an answer as osquery.ExtensionCallResult would, straight off a buffered transport with binary Thrift. It is what a
// thrift.TClient is given to hold the result of a call.
type Reader struct {
	Rows   *Rows                    // to be filled
	Status *osquery.ExtensionStatus // nil: the answer had none

	in   *bufio.Reader
	view []byte // what is buffered and not yet read; more than that is in.Buffered
	used int    // how much of the buffer was read before it
	long []byte // a string longer than the buffer
}

// Write is there because thrift.TStruct wants it.
func (a *Reader) Write(context.Context, thrift.TProtocol) error {
	return errors.New("wire: an answer is only read")
}

// Read reads the result of a call: a struct whose field 0 is the response.
func (a *Reader) Read(ctx context.Context, p thrift.TProtocol) error {
	buffered, ok := p.Transport().(*thrift.TBufferedTransport)
	if !ok {
		return fmt.Errorf("wire: an answer is read from a buffer, not from %T", p.Transport())
	}
	a.in = buffered.Reader
	return readFields(ctx, p, func(id int16, kind thrift.TType) (bool, error) {
		if id != 0 || kind != thrift.STRUCT {
			return false, nil
		}
		return true, a.readResponse(ctx, p)
	})
}

func (a *Reader) readResponse(ctx context.Context, p thrift.TProtocol) error {
	return readFields(ctx, p, func(id int16, kind thrift.TType) (bool, error) {
		switch {
		case id == 1 && kind == thrift.STRUCT:
			a.Status = &osquery.ExtensionStatus{}
			return true, a.Status.Read(ctx, p)
		case id == 2 && kind == thrift.LIST:
			return true, a.readRows(ctx, p)
		}
		return false, nil
	})
}

// readFields calls read for each field of a struct, and skips those that it does not take.
func readFields(ctx context.Context, p thrift.TProtocol, read func(id int16, kind thrift.TType) (taken bool, err error)) error {
	for {
		_, kind, id, err := p.ReadFieldBegin(ctx)
		if err != nil || kind == thrift.STOP {
			return err
		}
		taken, err := read(id, kind)
		if err == nil && !taken {
			err = p.Skip(ctx, kind)
		}
		if err != nil {
			return err
		}
	}
}

// readRows reads list<map<string,string>>. What a list announces is not believed until it arrives.
func (a *Reader) readRows(ctx context.Context, p thrift.TProtocol) error {
	a.Rows = a.Rows.empty() // of a field that is there twice the last counts
	_, rows, err := p.ReadListBegin(ctx)
	if err == nil && rows < 0 { // Thrift's own check overflows
		err = fmt.Errorf("wire: a list of %d rows", rows)
	}
	for ; err == nil && rows > 0; rows-- {
		var pairs int
		_, _, pairs, err = p.ReadMapBegin(ctx)
		if err == nil && pairs < 0 {
			err = fmt.Errorf("wire: a row of %d values", pairs)
		}
		if err == nil {
			err = a.readRow(pairs)
		}
	}
	return err
}

func (a *Reader) readRow(pairs int) error {
	a.Rows.Next()
	defer a.leave()
	for ; pairs > 0; pairs-- {
		name, err := a.next()
		if err != nil {
			return err
		}
		place := a.Rows.names.placeOf(name)
		value, err := a.next()
		if err != nil {
			return err
		}
		if place >= 0 {
			a.Rows.PutBytes(place, value)
		}
	}
	return a.Rows.Err()
}

// next is the next string. It is valid until the one after it.
func (a *Reader) next() ([]byte, error) {
	head, err := a.take(4)
	if err != nil {
		return nil, err
	}
	length := int(int32(binary.BigEndian.Uint32(head)))
	if length < 0 || length > maxString {
		return nil, fmt.Errorf("wire: a string of %d bytes", length)
	}
	if length <= a.in.Size() {
		return a.take(length)
	}
	a.leave()
	a.long = a.long[:0]
	for length > 0 {
		part, err := a.take(min(length, a.in.Size()))
		if err != nil {
			return nil, err
		}
		a.long = append(a.long, part...)
		length -= len(part)
	}
	return a.long, nil
}

// take takes n bytes, at most a buffer full, off what is buffered, and waits for them if it has to.
func (a *Reader) take(n int) ([]byte, error) {
	if n > len(a.view) {
		a.leave()
		if _, err := a.in.Peek(n); err != nil {
			return nil, err
		}
		a.view, _ = a.in.Peek(a.in.Buffered()) // all of it is there
	}
	taken := a.view[:n]
	a.view, a.used = a.view[n:], a.used+n
	return taken, nil
}

// leave gives the buffer back, for others to read what follows.
func (a *Reader) leave() {
	_, _ = a.in.Discard(a.used) // it was buffered
	a.view, a.used = nil, 0
}
