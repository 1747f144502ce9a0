package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrTooLong reports a line that was skipped because it does not fit the limit.
var ErrTooLong = errors.New("line too long")

// Lines cuts a stream into lines of at most Limit bytes. It holds one line and one read buffer, whatever the size
// of the stream.
type Lines struct {
	Limit  int // may be changed between two lines
	Number int // of the line last returned, from 1
	in     *bufio.Reader
	long   []byte
}

// NewLines returns the lines of r.
func NewLines(r io.Reader, limit int) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, 256<<10), Limit: limit}
}

// Next returns the next line without its end (LF or CR LF); the slice is valid until the next call. ErrTooLong
// leaves the reader at the line after, io.EOF comes after the last line, and any other error ends the stream.
func (l *Lines) Next() ([]byte, error) {
	part, err := l.in.ReadSlice('\n')
	if len(part) == 0 && err != nil {
		return nil, err
	}
	l.Number++
	if err != bufio.ErrBufferFull {
		return l.whole(part, err)
	}
	l.long = append(l.long[:0], part...)
	for err == bufio.ErrBufferFull && len(l.long) <= l.Limit {
		part, err = l.in.ReadSlice('\n')
		l.long = append(l.long, part...)
	}
	for err == bufio.ErrBufferFull {
		_, err = l.in.ReadSlice('\n')
	}
	return l.whole(l.long, err)
}

func (l *Lines) whole(line []byte, err error) ([]byte, error) {
	if err != nil && err != io.EOF {
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > l.Limit {
		return nil, fmt.Errorf("%w: over %d bytes", ErrTooLong, l.Limit)
	}
	return line, nil
}
