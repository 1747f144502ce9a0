package bpf

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Counters tell what the programs could not do; they only grow.
type Counters struct {
	// Lost are records that found the ring full: the time of a send, an Opened or a Closed; no bytes, for totals carry
	// on. Untracked are sends that found the table of streams full, Unstored the connections
	// the kernel gave no room to note.
	Lost, Untracked, Unstored uint64
}

// Counters reads the counters.
func (t *Tracer) Counters() (Counters, error) {
	var c Counters
	for which, to := range map[counter]*uint64{lost: &c.Lost, untracked: &c.Untracked,
		unstored: &c.Unstored} {
		n, err := t.maps.count(which)
		if err != nil {
			return c, fmt.Errorf("bpf: counters: %w", err)
		}
		*to = n
	}
	return c, nil
}

// SetDeadline makes Next give up at d, after the records that are there then; the zero time never.
func (t *Tracer) SetDeadline(d time.Time) { t.reader.SetDeadline(d) }

// Interrupt makes Next give up after the records that are there.
func (t *Tracer) Interrupt() { _ = t.reader.Flush() }

// Next waits for a record and decodes it into e; false at the deadline or after Interrupt. It does not allocate. Records of
// repeated sends and of the end of connections do not wake it: they are there at the next deadline, or when a quarter of the
// ring is full.
func (t *Tracer) Next(e *Event) (bool, error) {
	for {
		switch err := t.reader.ReadInto(&t.record); {
		case err == nil:
			if e.decode(t.record.RawSample) {
				return true, nil
			}
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ringbuf.ErrFlushed):
			return false, nil
		default:
			return false, fmt.Errorf("bpf: read: %w", err)
		}
	}
}

// walk is what reading the streams needs.
type walk struct {
	streams *ebpf.Map
	idle    time.Duration
	keys    [][keySize]byte
	records [][recordSize]byte
	event   Event
	last    time.Time
}

func newWalk(streams *ebpf.Map, idle time.Duration) *walk {
	const batch = 512
	return &walk{streams: streams, idle: idle, keys: make([][keySize]byte, batch), records: make([][recordSize]byte, batch)}
}

// Flush reads the totals of streams with sends no record has told of, and calls visit with each; the Event is valid during the
// call. Streams idle for long are given as Forgotten. It costs next to nothing if nothing was folded since the last
// Flush. Call it after reading the ring: what is still on the ring is older.
func (t *Tracer) Flush(now int64, visit func(*Event)) error {
	if t.walk == nil {
		return nil
	}
	waiting, err := t.maps.lower()
	if err != nil {
		return fmt.Errorf("bpf: flush: %w", err)
	}
	w := t.walk
	if !waiting && time.Since(w.last) < w.idle/2 {
		return nil
	}
	w.last = time.Now()
	if err := w.all(now, visit); err != nil {
		return fmt.Errorf("bpf: flush: %w", err)
	}
	return nil
}

func (w *walk) all(now int64, visit func(*Event)) error {
	var cursor ebpf.MapBatchCursor
	for {
		n, err := w.streams.BatchLookup(&cursor, w.keys, w.records, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		for i := range n {
			w.one(i, now, visit)
		}
		if err != nil {
			return nil // it was the last batch
		}
	}
}

func (w *walk) one(i int, now int64, visit func(*Event)) {
	e := &w.event
	if !e.decode(w.records[i][:]) {
		return
	}
	if now-e.At > int64(w.idle) {
		if w.streams.LookupAndDelete(&w.keys[i], &w.records[i]) == nil && e.decode(w.records[i][:]) {
			e.Kind = Forgotten
			visit(e)
		}
		return
	}
	if e.Pending {
		e.Kind = Totals
		visit(e)
	}
}
