package bpf

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
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

// Attached returns a *Refusal if a program was taken out of its place by somebody else, which can be done to those in a cgroup
// (BPF_LINK_DETACH, bpf(2)): what it told of is not told any more. Others stay until Close.
func (t *Tracer) Attached() error {
	for _, l := range t.cgroups {
		info, err := l.Info()
		if errors.Is(err, ebpf.ErrNotSupported) {
			continue // older kernels attach without a link
		}
		if err != nil {
			return fmt.Errorf("bpf: links: %w", err)
		}
		if c := info.Cgroup(); c != nil && c.CgroupId == 0 {
			return refuse(ebpf.AttachType(c.AttachType).String(), unix.ENOLINK)
		}
	}
	return nil
}

// SetDeadline makes Next give up at d, after the records that are there then; the zero time never.
func (t *Tracer) SetDeadline(d time.Time) error { return t.records.waiter.SetDeadline(d) }

// Interrupt makes Next give up after the records that are there, and again until the next SetDeadline.
func (t *Tracer) Interrupt() { t.records.waiter.Interrupt() }

// Sleep says whether every record wakes Next from now on. One that a program is just about to put on the ring may not.
func (t *Tracer) Sleep(asleep bool) { t.records.sleep(asleep) }

// Next waits for a record and decodes it into e; false at the deadline or after Interrupt. It does not allocate. Records of
// repeated sends and of the end of connections do not wake it, unless it sleeps: they are there at the next deadline, or when a
// quarter of the ring is full.
func (t *Tracer) Next(e *Event) (bool, error) {
	for {
		record, err := t.records.next()
		if err != nil || record == nil {
			return false, err
		}
		if t.decode(e, record) {
			return true, nil
		}
	}
}

// decode fills e from what is on the ring; false if that tells nothing new.
func (t *Tracer) decode(e *Event, b []byte) bool {
	if len(b) == reportSize && t.streams != nil {
		return t.streams.sent(e, b)
	}
	if !e.decode(b) {
		return false
	}
	switch {
	case t.streams == nil:
	case e.Kind == Closed:
		t.streams.ended(e, b)
	case e.Kind == Sent:
		t.streams.ask(e)
	}
	return true
}

// Flush reads the totals of streams with sends no record has told of, and calls visit with each; the Event is valid during the
// call. Streams idle for long and those of closed connections are given as Forgotten. It costs next to nothing if nothing
// was folded since the last Flush. Records still on the ring may be older: their totals are no news then.
func (t *Tracer) Flush(now int64, visit func(*Event)) error {
	if t.streams == nil {
		return nil
	}
	t.streams.told(now, visit)
	if err := t.streams.end(now, visit); err != nil {
		return fmt.Errorf("bpf: flush: %w", err)
	}
	return nil
}
