package sqlhost

import (
	"bufio"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
)

// answer is a table's answer as SQL reads it: of each row the columns that the statement reads, as SQLite values. It decodes
// what osquery.ExtensionCallResult decodes, straight off the transport: of 5 000 rows of 71 columns that one makes 710 000
// strings and 5 000 maps, although the names are the same in every row and so are half of the values.
type answer struct {
	reads  *reading
	status *osquery.ExtensionStatus
	rows   [][]driver.Value // a column that a row does not have is NULL

	in   *bufio.Reader
	text []byte // the latest string of the wire
	last []last // of each column: rows repeat much of the one before
}

type last struct {
	text  string
	value driver.Value
}

// Write is there because thrift.TStruct wants it.
func (a *answer) Write(context.Context, thrift.TProtocol) error {
	return errors.New("an answer is only read")
}

// Read reads the result of a call: a struct whose field 0 is the response.
func (a *answer) Read(ctx context.Context, p thrift.TProtocol) error {
	buffered, ok := p.Transport().(*thrift.TBufferedTransport)
	if !ok {
		return fmt.Errorf("an answer is read from a buffer, not from %T", p.Transport())
	}
	a.in, a.last = buffered.Reader, make([]last, len(a.reads.kinds))
	return readFields(ctx, p, func(id int16, kind thrift.TType) (bool, error) {
		if id != 0 || kind != thrift.STRUCT {
			return false, nil
		}
		return true, a.readResponse(ctx, p)
	})
}

func (a *answer) readResponse(ctx context.Context, p thrift.TProtocol) error {
	return readFields(ctx, p, func(id int16, kind thrift.TType) (bool, error) {
		switch {
		case id == 1 && kind == thrift.STRUCT:
			a.status = &osquery.ExtensionStatus{}
			return true, a.status.Read(ctx, p)
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
func (a *answer) readRows(ctx context.Context, p thrift.TProtocol) error {
	_, rows, err := p.ReadListBegin(ctx)
	for ; err == nil && rows > 0; rows-- {
		var pairs int
		if _, _, pairs, err = p.ReadMapBegin(ctx); err == nil {
			err = a.readRow(pairs)
		}
	}
	return err
}

func (a *answer) readRow(pairs int) error {
	row := make([]driver.Value, len(a.last))
	for ; pairs > 0; pairs-- {
		if err := a.readText(); err != nil {
			return err
		}
		place, read := a.reads.index[string(a.text)]
		if err := a.readText(); err != nil {
			return err
		}
		if !read {
			continue
		}
		last := &a.last[place]
		if last.value == nil || last.text != string(a.text) {
			last.text = string(a.text)
			last.value = sqlValue(a.reads.kinds[place], last.text)
		}
		row[place] = last.value
	}
	a.rows = append(a.rows, row)
	return nil
}

// readText reads a string of the wire into text.
func (a *answer) readText() error {
	a.text = a.text[:0]
	head, err := a.in.Peek(4)
	if err != nil {
		return err
	}
	left := int(int32(binary.BigEndian.Uint32(head)))
	if left < 0 || left > maxMessageBytes {
		return fmt.Errorf("a string of %d bytes", left)
	}
	_, _ = a.in.Discard(4) // what was peeked is there
	for left > 0 {
		part, err := a.in.Peek(min(left, a.in.Size()))
		if err != nil {
			return err
		}
		a.text = append(a.text, part...)
		left -= len(part)
		_, _ = a.in.Discard(len(part))
	}
	return nil
}
