package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// streams is our side of the slots: what the programs add to them is read in place, without a system call.
type streams struct {
	maps    *maps
	slots   []byte // records, by slot
	pending []byte // words, by slot; that of slot 0, which is none, stands for all
	tick    time.Duration
	idle    time.Duration

	known  []known // by slot, as far as slots were used
	closed []uint32
	looked int64 // when idle streams were looked for
	heard  int64 // from when on what is received was heard, 0 if it is not
}

// known is what does not change of a stream.
type known struct {
	born  uint64 // 0 if nobody has the slot
	event Event
}

// Jiffy is the distance of two ticks of the kernel, the resolution of its coarse clocks (clock_getres(2)); 4 ms if it does not say.
func Jiffy() time.Duration {
	const usual = 4 * time.Millisecond
	var resolution unix.Timespec
	if unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &resolution) != nil || resolution.Nano() <= 0 {
		return usual
	}
	return time.Duration(resolution.Nano())
}

func pendingSize(streams uint32) uint32 { return (4*(streams+1) + 7) / 8 * 8 }

func shareStreams(m *maps, cfg Config) (*streams, error) {
	s := &streams{maps: m, tick: cfg.tick, idle: cfg.Idle}
	share := func(from *ebpf.Map, size int) ([]byte, error) {
		return unix.Mmap(from.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	var err error
	if s.slots, err = share(m.slots, recordSize*(cfg.MaxStreams+1)); err != nil {
		return s, fmt.Errorf("share the slots of streams: %w", err)
	}
	if s.pending, err = share(m.pending, int(pendingSize(uint32(cfg.MaxStreams)))); err != nil {
		return s, fmt.Errorf("share the words of streams: %w", err)
	}
	return s, nil
}

func (s *streams) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, b := range []*[]byte{&s.slots, &s.pending} {
		if *b != nil {
			errs = append(errs, unix.Munmap(*b))
			*b = nil
		}
	}
	return errors.Join(errs...)
}

// word is a member of a slot that programs may be changing.
func (s *streams) word(slot uint32, at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&s.slots[recordSize*int(slot)+at]))
}

// find returns what is known of the stream that was born then and has, or had, the slot; nil if it is gone.
func (s *streams) find(slot uint32, born uint64) *known {
	if slot == 0 || born == 0 || recordSize*int(slot) >= len(s.slots) {
		return nil
	}
	for int(slot) >= len(s.known) {
		s.known = append(s.known, known{})
	}
	k := &s.known[slot]
	if k.born == born {
		return k
	}
	if k.born != 0 || s.word(slot, atBorn).Load() != born {
		return nil // the record is older than the end of the stream, where its totals were told
	}
	record := s.slots[recordSize*int(slot):][:recordSize]
	if !k.event.decode(record) {
		return nil
	}
	s.ask(&k.event)
	k.born, k.event.Stream = born, slot
	return k
}

// sent fills e from a report of a send; false if its stream is gone.
func (s *streams) sent(e *Event, report []byte) bool {
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(report[at:]) }
	k := s.find(binary.NativeEndian.Uint32(report[reportSlot:]), u64(reportBorn))
	if k == nil {
		return false
	}
	*e = k.event
	e.Kind, e.At, e.Bytes, e.Sends, e.Size = Sent, int64(u64(reportTime)), u64(reportBytes), u64(reportSends), u64(reportLength)
	e.Previous = s.latest(int64(u64(reportPrevious)), u64(reportTicks), e.At)
	return true
}

// latest is when a send was at the latest that the programs dated so many ticks after a report. Between threads that send at a
// time, ticks may be negative.
func (s *streams) latest(report int64, ticks uint64, now int64) int64 {
	switch after := max(int64(ticks), 0); {
	case report == 0:
		return 0
	case after >= (now-report)/int64(s.tick):
		return now
	default:
		return report + (after+1)*int64(s.tick)
	}
}

// ended takes the stream of the opener out of the record of its connection: its slot ends with the next Flush.
func (s *streams) ended(e *Event, record []byte) {
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(record[at:]) }
	if e.Stream == 0 {
		e.Bytes, e.Sends, e.Previous = 0, 0, 0
		return
	}
	if s.find(e.Stream, u64(atBorn)) == nil {
		e.Stream, e.Bytes, e.Sends, e.Previous = 0, 0, 0, 0 // it was idle, and is told
		return
	}
	e.Previous = s.latest(e.Previous, u64(atTicks)-u64(atReported), e.At)
	s.closed = append(s.closed, e.Stream)
}

// totals fills in what a stream has sent by now.
func (s *streams) totals(kind Kind, slot uint32, now int64) *Event {
	e := &s.known[slot].event
	e.Kind, e.Bytes, e.Sends = kind, s.word(slot, atBytes).Load(), s.word(slot, atSends).Load()
	e.At, e.Size, e.Previous = s.last(slot, now), 0, 0
	return e
}

// last is when the stream has sent last.
func (s *streams) last(slot uint32, now int64) int64 {
	return s.latest(int64(s.word(slot, atTime).Load()), s.word(slot, atTicks).Load()-s.word(slot, atReported).Load(), now)
}

// waits takes down the word of a slot and reports whether it was up; that of slot 0 stands for all.
func (s *streams) waits(slot uint32) bool {
	return (*atomic.Uint32)(unsafe.Pointer(&s.pending[4*slot])).Swap(0) != 0
}

// told visits streams with totals that no report has told of.
func (s *streams) told(now int64, visit func(*Event)) {
	if !s.waits(0) {
		return
	}
	for at := 0; at < len(s.pending); at += 8 {
		if (*atomic.Uint64)(unsafe.Pointer(&s.pending[at])).Load() == 0 {
			continue
		}
		for slot := uint32(max(at/4, 1)); slot < uint32(at/4+2); slot++ {
			if s.waits(slot) && s.find(slot, s.word(slot, atBorn).Load()) != nil {
				visit(s.totals(Totals, slot, now))
			}
		}
	}
}

// end ends the streams of closed connections and those that were idle for long, and visits them for the last time.
func (s *streams) end(now int64, visit func(*Event)) error {
	if now-s.looked > int64(s.idle/2) {
		s.looked = now
		for slot := range s.known {
			if s.known[slot].born != 0 && now-s.last(uint32(slot), now) > int64(s.idle) {
				s.closed = append(s.closed, uint32(slot))
			}
		}
	}
	if len(s.closed) == 0 {
		return nil
	}
	// out of reach for programs that begin now; those under way may still add to it
	for _, slot := range s.closed {
		key := s.slots[recordSize*int(slot):][:keySize]
		if err := s.maps.index.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		s.word(slot, atCookie).Store(0)
	}
	if err := s.maps.quiesce(); err != nil {
		return err
	}
	for _, slot := range s.closed {
		if s.known[slot].born == 0 {
			continue // it closed, and was idle
		}
		s.waits(slot)
		visit(s.totals(Forgotten, slot, now))
		s.known[slot] = known{}
		if err := s.maps.free.Update(nil, slot, ebpf.UpdateAny); err != nil {
			return err
		}
	}
	s.closed = s.closed[:0]
	return nil
}
