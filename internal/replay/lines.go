package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errLineTooLong reports a line that was skipped because it does not fit the limit.
var errLineTooLong = errors.New("line too long")

// lineReader cuts a stream into lines of at most limit bytes. It holds one line and one read buffer, whatever the size
// of the stream.
type lineReader struct {
	in     *bufio.Reader
	limit  int
	number int // of the line last returned, from 1
	long   []byte
}

func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 256<<10), limit: limit}
}

// next returns the next line without its end (LF or CR LF); the slice is valid until the next call. errLineTooLong
// leaves the reader at the line after, io.EOF comes after the last line, and any other error ends the stream.
func (l *lineReader) next() ([]byte, error) {
	part, err := l.in.ReadSlice('\n')
	if len(part) == 0 && err != nil {
		return nil, err
	}
	l.number++
	if err != bufio.ErrBufferFull {
		return l.whole(part, err)
	}
	l.long = append(l.long[:0], part...)
	for err == bufio.ErrBufferFull && len(l.long) <= l.limit {
		part, err = l.in.ReadSlice('\n')
		l.long = append(l.long, part...)
	}
	for err == bufio.ErrBufferFull {
		_, err = l.in.ReadSlice('\n')
	}
	return l.whole(l.long, err)
}

func (l *lineReader) whole(line []byte, err error) ([]byte, error) {
	if err != nil && err != io.EOF {
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > l.limit {
		return nil, fmt.Errorf("%w: over %d bytes", errLineTooLong, l.limit)
	}
	return line, nil
}
