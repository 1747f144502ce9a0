package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// maxOpen bounds how many logs that cover the same time are read side by side.
const maxOpen = 64

// Reader gives back the records of some files. Logs come first, by the time at which they begin and side by side where
// they overlap, so that hourly files, files out of order and files of several sensors all come out as one; after them our
// own flows, file by file and line by line, each flow in order of time. Only Progress may be called concurrently.
type Reader struct {
	config Config
	stats  Stats
	total  int64
	done   atomic.Int64

	waiting []*input // logs not yet begun, by start
	open    []*input // logs with a row ready
	order   reorder
	last    boottime.Time
	current row
	rest    bool // the Open of current is out, its Data is not

	flows   []*input // not yet finished; the first may be open
	sending flowRecords
}

// Open looks into each file, "-" being the standard input, and returns a Reader at the first record. It fails if a file
// cannot be opened or is of no known format. The Reader must be closed.
func Open(paths []string, config Config) (*Reader, error) {
	config.Reorder = cmp.Or(max(config.Reorder, 0), 1<<17)
	if config.Stdin == nil {
		config.Stdin = os.Stdin
	}
	r := &Reader{config: config, order: reorder{size: config.Reorder}}
	known := newAddresses(config.Local)
	for i, path := range paths {
		in := &input{path: path, number: i, conn: connReader{addresses: known}}
		if err := r.admit(in); err != nil {
			in.close()
			r.Close()
			return nil, fmt.Errorf("replay %s: %w", path, err)
		}
	}
	slices.SortStableFunc(r.waiting, func(a, b *input) int { return cmp.Compare(a.start, b.start) })
	return r, nil
}

// admit finds out what a file is and when it begins. A file is closed again until its turn comes; the standard input
// stays open where it is, for it cannot be read twice.
func (r *Reader) admit(in *input) error {
	stats, done := new(Stats), new(atomic.Int64)
	if in.path == "-" {
		stats, done = &r.stats, &r.done
	}
	err := in.begin(r.config.Stdin, stats, done)
	if err != nil {
		return err
	}
	r.total += in.file.Size
	got := nothing
	for err == nil && got == nothing {
		got, err = in.step()
	}
	if err != nil && err != io.EOF {
		return err
	}
	in.start, in.ready = in.row.ended, got == aRow || got == aFlow
	if in.path != "-" {
		in.close()
	}
	if in.format == formatFlows {
		r.flows = append(r.flows, in)
	} else {
		r.waiting = append(r.waiting, in)
	}
	return nil
}

// Next sets out to the next record, io.EOF after the last. A connection seen from its start gives two records, its Open
// and its Data, of the same time.
func (r *Reader) Next(out *Record) error {
	if r.rest {
		r.rest = false
		*out = Record{Host: r.current.host, Send: r.current.send}
		return nil
	}
	for !r.order.full() && r.fill() {
	}
	if r.order.empty() {
		return r.nextOfFlow(out)
	}
	r.order.pop(&r.current)
	if r.current.send.At < r.last {
		r.stats.Late++
	}
	r.last = max(r.last, r.current.send.At)
	*out = Record{Host: r.current.host, Send: r.current.send}
	if r.rest = r.current.open; r.rest {
		out.Send.Kind, out.Send.Bytes, out.Send.Received = send.Open, 0, 0
	}
	return nil
}

// fill moves one row from the files to the heap, from the log that has come least far.
func (r *Reader) fill() bool {
	for len(r.waiting) > 0 && len(r.open) < maxOpen && (len(r.open) == 0 || r.waiting[0].start <= r.behind().row.ended) {
		in := r.waiting[0]
		r.waiting = r.waiting[1:]
		if r.resume(in) {
			r.open = append(r.open, in)
		}
	}
	if len(r.open) == 0 {
		return false
	}
	in := r.behind()
	r.order.push(&in.row)
	if err := in.advance(); err != nil {
		r.finish(in, err)
		r.open = slices.DeleteFunc(r.open, func(other *input) bool { return other == in })
	}
	return true
}

func (r *Reader) behind() *input {
	return slices.MinFunc(r.open, func(a, b *input) int { return cmp.Compare(a.row.ended, b.row.ended) })
}

// resume opens an input whose turn has come and reads its first row or flow. A file that cannot be read any more is a
// bad line 0 of that file.
func (r *Reader) resume(in *input) bool {
	if in.lines == nil {
		if err := in.begin(r.config.Stdin, &r.stats, &r.done); err != nil {
			r.stats.Fault(in.path, 0, err)
			in.close()
			return false
		}
	}
	if in.ready {
		return true
	}
	if err := in.advance(); err != nil {
		r.finish(in, err)
		return false
	}
	return true
}

// finish closes an input that is read. Any end but io.EOF means that the file is no longer what it was.
func (r *Reader) finish(in *input, err error) {
	if err != io.EOF {
		r.stats.Fault(in.path, in.lines.Number, err)
	}
	if in.format == formatTSV || in.format == formatZeekJSON {
		r.stats.Resolution = max(r.stats.Resolution, time.Duration(in.conn.clock))
	}
	in.close()
}

// nextOfFlow gives the next send of our own format.
func (r *Reader) nextOfFlow(out *Record) error {
	for !r.sending.next(out) {
		if len(r.flows) == 0 {
			return io.EOF
		}
		in := r.flows[0]
		if !r.resume(in) {
			r.flows = r.flows[1:]
			continue
		}
		r.sending.begin(in)
		in.ready = false
	}
	return nil
}

// Run gives every record to emit, and returns nil at the end or when ctx is done.
func (r *Reader) Run(ctx context.Context, emit func(*Record)) error {
	var record Record
	for ctx.Err() == nil {
		if err := r.Next(&record); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		emit(&record)
	}
	return nil
}

// Progress returns how many bytes of the files have been read and how many there are, compressed where they are; what
// comes through a pipe is not in the total.
func (r *Reader) Progress() (read, total int64) { return r.done.Load(), r.total }

// Stats returns what has become of the input so far.
func (r *Reader) Stats() Stats { return r.stats }

// Close closes the files.
func (r *Reader) Close() {
	for _, in := range slices.Concat(r.waiting, r.open, r.flows) {
		in.close()
	}
}
