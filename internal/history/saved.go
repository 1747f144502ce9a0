package history

import (
	"encoding/binary"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// SavedProgram, SavedPair and SavedFlow are a Store in pieces, for a file. IDs join the pieces of one Save and mean nothing
// beyond it.
type SavedProgram struct {
	ID        uint64
	Key       Key
	Latest    process.ID
	Ever      int // destinations ever that take part in the program's own series
	Processes int
	Totals    Totals
	HasAll    bool // All is the program's own series
	All       SavedSeries
}

// SavedPair is a program and a destination.
type SavedPair struct {
	ID, Program uint64
	Destination send.Destination
	Socket      send.Socket
	Latest      process.ID
	Processes   int
	Totals      Totals
	Evidence    float32 // as ranking last judged it, in nats
	Series      SavedSeries
}

// SavedFlow is a process and a destination. Gaps are in milliseconds, Sizes in bytes.
type SavedFlow struct {
	Pair    uint64
	Process process.ID
	Socket  send.Socket
	Totals  Totals
	Last    boottime.Time
	Began   boottime.Time
	Size    uint64
	Bursts  int
	Gaps    []uint32
	Sizes   []uint32
}

// SavedSeries is a series of micro-bursts. Packed holds those that are cut, oldest first, burstSize bytes each.
type SavedSeries struct {
	Packed  []byte
	Open    Burst
	IsOpen  bool
	Begun   uint64
	Silence time.Duration
	Dropped uint32
}

// burstSize is the size of one packed burst, two little-endian words.
const burstSize = 16

// Visitor receives the pieces of a Store: all programs, then all pairs, then all flows. What it is handed is reused for the
// next piece. An error ends the Save and is returned by it.
type Visitor struct {
	Program func(*SavedProgram) error
	Pair    func(*SavedPair) error
	Flow    func(*SavedFlow) error
}

// Save hands v a copy of everything. The lock is held only while one piece is copied, so recording goes on meanwhile; what
// is recorded then may be in one piece and not yet in another.
func (s *Store) Save(v Visitor) error {
	s.mu.Lock()
	programs, pairs, flows := s.pieces()
	s.mu.Unlock()
	var prog SavedProgram
	for _, p := range programs {
		s.mu.Lock()
		p.save(&prog)
		s.mu.Unlock()
		if err := v.Program(&prog); err != nil {
			return err
		}
	}
	var pair SavedPair
	for _, p := range pairs {
		s.mu.Lock()
		p.save(&pair)
		s.mu.Unlock()
		if err := v.Pair(&pair); err != nil {
			return err
		}
	}
	var flow SavedFlow
	for _, f := range flows {
		s.mu.Lock()
		f.save(&flow)
		s.mu.Unlock()
		if err := v.Flow(&flow); err != nil {
			return err
		}
	}
	return nil
}

// pieces lists what there is, in the order in which it should be made again: least evidence first, oldest use first.
func (s *Store) pieces() (programs []*program, pairs []*pair, flows []*flow) {
	for _, p := range s.programs {
		programs = append(programs, p)
	}
	for b := range s.buckets {
		for e := s.buckets[b].Front(); e != nil; e = e.Next() {
			pairs = append(pairs, e.Value.(*pair))
		}
	}
	for e := s.flowUse.Front(); e != nil; e = e.Next() {
		flows = append(flows, e.Value.(*flow))
	}
	return programs, pairs, flows
}

func (p *program) save(to *SavedProgram) {
	*to = SavedProgram{ID: p.id, Key: p.key, Latest: p.latest, Ever: p.ever, Processes: p.processes, Totals: p.totals,
		HasAll: p.hasAll, All: p.all.save(to.All.Packed)}
}

func (p *pair) save(to *SavedPair) {
	*to = SavedPair{ID: p.id, Program: p.program.id, Destination: p.key.destination, Socket: p.socket, Latest: p.latest,
		Processes: p.processes, Totals: p.totals, Evidence: p.evidence, Series: p.series.save(to.Series.Packed)}
}

func (f *flow) save(to *SavedFlow) {
	*to = SavedFlow{Pair: f.pair.id, Process: f.key.id, Socket: f.socket, Totals: f.totals, Last: f.last, Began: f.began,
		Size: f.size, Bursts: f.n, Gaps: append(to.Gaps[:0], f.gaps...), Sizes: append(to.Sizes[:0], f.sizes...)}
}

func (s *series) save(buffer []byte) SavedSeries {
	buffer = buffer[:0]
	for i := range s.n {
		p := s.get(i)
		buffer = binary.LittleEndian.AppendUint64(buffer, p.time)
		buffer = binary.LittleEndian.AppendUint64(buffer, p.size)
	}
	return SavedSeries{Packed: buffer, Open: s.open, IsOpen: s.isOpen, Begun: s.bursts, Silence: s.silence, Dropped: s.dropped}
}
