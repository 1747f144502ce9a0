package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxNetRow bounds a row: the longest, of IPv6 TCP, has about 200 bytes.
const maxNetRow = 1 << 10

// NetTable is a socket table in /proc/PID/net, kept open and read again and again:
//
//	t.Rewind()
//	for t.Next(&socket) {
//	}
//	err := t.Err()
//
// Reading allocates nothing. The kernel prints the table piece by piece while it changes, so a socket may be missing from
// a pass or, rarely, be there twice. A NetTable is not safe for concurrent use.
type NetTable struct {
	file      *os.File
	buffer    []byte
	start     int // of the unread part of buffer
	end       int
	offset    int64 // in the file, of buffer[end]
	header    bool  // already skipped
	malformed uint64
	err       error
}

// NetTables names the tables of an IP protocol, IPv4 first; none for a protocol that has none.
func NetTables(protocol uint8) []string {
	switch protocol {
	case unix.IPPROTO_TCP:
		return []string{"tcp", "tcp6"}
	case unix.IPPROTO_UDP:
		return []string{"udp", "udp6"}
	case unix.IPPROTO_UDPLITE:
		return []string{"udplite", "udplite6"}
	case unix.IPPROTO_RAW:
		return []string{"raw", "raw6"}
	}
	return nil
}

// OpenNetTable opens /proc/owner/net/name, where owner is "thread-self" (the caller) or a PID, whose network namespace is
// shown, and name one of NetTables. A table the kernel does not have is fs.ErrNotExist.
func (fs FS) OpenNetTable(owner, name string) (*NetTable, error) {
	file, err := os.Open(fs.path(owner, "net", name))
	if err != nil {
		return nil, fmt.Errorf("socket table: %w", err)
	}
	t := &NetTable{file: file, buffer: make([]byte, 32<<10)}
	return t, nil
}

// Rewind starts a new pass.
func (t *NetTable) Rewind() {
	t.start, t.end, t.offset, t.header, t.err = 0, 0, 0, false, nil
}

// Next decodes the next row into s and reports whether there was one. Rows that make no sense are counted and skipped.
func (t *NetTable) Next(s *NetSocket) bool {
	for {
		row, ok := t.row()
		switch {
		case !ok:
			return false
		case !t.header:
			t.header = true
		case s.parse(row):
			return true
		default:
			t.malformed++
		}
	}
}

// row returns the next line without its end; a last one without an end was cut and does not count.
func (t *NetTable) row() ([]byte, bool) {
	for {
		unread := t.buffer[t.start:t.end]
		if end := bytes.IndexByte(unread, '\n'); end >= 0 {
			t.start += end + 1
			return unread[:end], true
		}
		if len(unread) > maxNetRow {
			t.malformed++
			unread = nil
		}
		t.start, t.end = 0, copy(t.buffer, unread)
		n, err := t.file.ReadAt(t.buffer[t.end:], t.offset)
		t.end += n
		t.offset += int64(n)
		if n > 0 {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.err = fmt.Errorf("socket table: %w", err)
		}
		return nil, false
	}
}

// Err returns why the pass ended early, nil if it is complete.
func (t *NetTable) Err() error { return t.err }

// Malformed returns how many rows could not be decoded so far.
func (t *NetTable) Malformed() uint64 { return t.malformed }

// Close closes the file.
func (t *NetTable) Close() error {
	if err := t.file.Close(); err != nil {
		return fmt.Errorf("socket table: %w", err)
	}
	return nil
}
