package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// maxRecord bounds one record, in bytes: a series of the largest ring allowed (4096 bursts) with room to spare.
const maxRecord = 1 << 20

// recordWriter writes records: a kind, the length of the body, and the body, of integers as varints, strings and byte
// slices with their length before them.
type recordWriter struct {
	to   io.Writer
	body []byte
	head [1 + binary.MaxVarintLen64]byte
}

// end writes the record whose body was put together since the last one.
func (w *recordWriter) end(kind byte) error {
	w.head[0] = kind
	n := binary.PutUvarint(w.head[1:], uint64(len(w.body)))
	_, err := w.to.Write(w.head[:1+n])
	if err == nil {
		_, err = w.to.Write(w.body)
	}
	w.body = w.body[:0]
	return err
}

func (w *recordWriter) uint(v uint64) { w.body = binary.AppendUvarint(w.body, v) }

func (w *recordWriter) int(v int64) { w.body = binary.AppendVarint(w.body, v) }

func (w *recordWriter) bytes(b []byte) {
	w.uint(uint64(len(b)))
	w.body = append(w.body, b...)
}

func (w *recordWriter) text(s string) {
	w.uint(uint64(len(s)))
	w.body = append(w.body, s...)
}

func (w *recordWriter) bool(v bool) {
	if v {
		w.uint(1)
		return
	}
	w.uint(0)
}

func (w *recordWriter) address(a netip.AddrPort) {
	w.bytes(a.Addr().AsSlice()) // empty for none; zones are of the host's links and are left out
	w.uint(uint64(a.Port()))
}

// recordReader reads what a recordWriter wrote. After the first thing that is wrong every value is zero and err says what.
type recordReader struct {
	from *bufio.Reader
	body []byte
	rest []byte
	err  error
}

var errShort = errors.New("a record ends too early")

// next reads a record and returns its kind; io.EOF after the last.
func (r *recordReader) next() (kind byte, err error) {
	if kind, err = r.from.ReadByte(); err != nil {
		return 0, err
	}
	size, err := binary.ReadUvarint(r.from)
	if err != nil {
		return 0, unexpected(err)
	}
	if size > maxRecord {
		return 0, fmt.Errorf("a record of %d bytes", size)
	}
	if uint64(cap(r.body)) < size {
		r.body = make([]byte, size)
	}
	r.body = r.body[:size]
	if _, err := io.ReadFull(r.from, r.body); err != nil {
		return 0, unexpected(err)
	}
	r.rest = r.body
	return kind, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// done reports what was wrong with the record, bytes left over included.
func (r *recordReader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes too many in a record", len(r.rest))
	}
	return r.err
}

func (r *recordReader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *recordReader) int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes borrows from the record: the slice is valid until the next one.
func (r *recordReader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.fail(errShort)
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *recordReader) text() string { return string(r.bytes()) }

func (r *recordReader) bool() bool { return r.uint() == 1 }

func (r *recordReader) address() netip.AddrPort {
	b, port := r.bytes(), r.uint()
	if len(b) == 0 {
		return netip.AddrPort{}
	}
	addr, ok := netip.AddrFromSlice(b)
	if !ok || port > 0xffff {
		r.fail(fmt.Errorf("an address of %d bytes with port %d", len(b), port))
	}
	return netip.AddrPortFrom(addr, uint16(port))
}

func (r *recordReader) duration() time.Duration { return time.Duration(r.int()) }

func (r *recordReader) time() boottime.Time { return boottime.Time(r.int()) }

func (r *recordReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}
