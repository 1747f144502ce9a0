package history

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

// Restorer makes a Store again from the pieces of a Save, in their order. What does not fit the store's present bounds is
// left out: of bursts the oldest, of pairs those with the least evidence. It is meant for a store that records nothing yet.
type Restorer struct {
	store *Store
	// Shift is added to every instant: what lies between the time lines of two boots.
	Shift time.Duration
	// Process turns a process of the file into one of now; nil leaves it as it is.
	Process  func(process.ID) process.ID
	programs map[uint64]SavedProgram
	pairs    map[uint64]*pair
}

// Restorer returns a Restorer into s.
func (s *Store) Restorer() *Restorer {
	return &Restorer{store: s, programs: map[uint64]SavedProgram{}, pairs: map[uint64]*pair{},
		Process: func(id process.ID) process.ID { return id }}
}

// Program takes in a program. It is made with its first pair.
func (r *Restorer) Program(from *SavedProgram) error {
	if err := from.All.check(); err != nil {
		return fmt.Errorf("history: program %q: %w", from.Key.Program.Path, err)
	}
	kept := *from
	kept.All.Packed = append([]byte(nil), from.All.Packed...)
	r.programs[from.ID] = kept
	return nil
}

// Pair makes a pair. It fails for one whose program is not in the file.
func (r *Restorer) Pair(from *SavedPair) error {
	prog, known := r.programs[from.Program]
	if !known {
		return fmt.Errorf("history: a pair of program %d, which is not there", from.Program)
	}
	if err := from.Series.check(); err != nil {
		return fmt.Errorf("history: pair of %q: %w", prog.Key.Program.Path, err)
	}
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.programs[prog.Key]; old != nil && s.pairs[pairKey{old, from.Destination}] != nil {
		return nil // twice in the file
	}
	fresh := s.programs[prog.Key] == nil
	p := s.create(&prog.Key, from.Destination)
	if fresh {
		r.fill(p.program, &prog)
	}
	if p.joins && prog.Ever == 1 {
		p.program.only = p
	}
	p.socket, p.latest, p.processes = from.Socket, r.Process(from.Latest), max(from.Processes, 0)
	p.totals = from.Totals.shifted(r.Shift)
	if from.Evidence > 0 && from.Evidence < math.MaxFloat32 {
		p.evidence = from.Evidence
	}
	s.bytes += p.series.restore(&from.Series, r.Shift, s.config.MaxBursts)
	s.use(p)
	s.mark(p)
	s.shrink(p)
	r.pairs[from.ID] = p
	return nil
}

func (r *Restorer) fill(p *program, from *SavedProgram) {
	p.latest, p.ever, p.processes = r.Process(from.Latest), max(from.Ever, 0), max(from.Processes, 0)
	p.totals = from.Totals.shifted(r.Shift)
	if p.hasAll = from.HasAll; p.hasAll {
		r.store.bytes += p.all.restore(&from.All, r.Shift, r.store.config.MaxBursts)
		r.store.markAll(p)
	}
}

// Flow makes a flow. One whose pair did not fit is left out.
func (r *Restorer) Flow(from *SavedFlow) error {
	if held := min(max(from.Bursts-1, 0), recent); len(from.Gaps) != held || len(from.Sizes) != held {
		return fmt.Errorf("history: a flow of %d bursts with %d gaps and %d sizes", from.Bursts, len(from.Gaps), len(from.Sizes))
	}
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	p := r.pairs[from.Pair]
	if p == nil || s.byID[p.id] != p {
		return nil
	}
	k := p.program.flowKey(r.Process(from.Process), p.key.destination)
	if s.flows[k] != nil {
		return nil // twice in the file
	}
	f := s.addFlow(p, k)
	f.socket, f.totals = from.Socket, from.Totals.shifted(r.Shift)
	f.last, f.began, f.size = shift(from.Last, r.Shift), shift(from.Began, r.Shift), from.Size
	f.n = max(from.Bursts, 0)
	f.gaps, f.sizes = append(f.gaps, from.Gaps...), append(f.sizes, from.Sizes...)
	return nil
}

// check refuses what no Save has written.
func (s *SavedSeries) check() error {
	switch {
	case len(s.Packed)%burstSize != 0:
		return fmt.Errorf("%d bytes of bursts are not a multiple of %d", len(s.Packed), burstSize)
	case s.Silence < 0 || s.Silence > maxSilence:
		return fmt.Errorf("bursts cut on %v of silence", s.Silence)
	case s.Open.Last < s.Open.At || s.Open.Within < 0:
		return fmt.Errorf("an open burst that ends before it begins")
	}
	return nil
}

// restore makes s hold the newest bursts of from that limit allows, and returns the bytes it took.
func (s *series) restore(from *SavedSeries, by time.Duration, limit int) (grown int) {
	s.silence, s.bursts, s.dropped = from.Silence, from.Begun, from.Dropped
	if s.isOpen = from.IsOpen; s.isOpen {
		s.open = from.Open
		s.open.At, s.open.Last = shift(s.open.At, by), shift(s.open.Last, by)
	}
	packedBytes := from.Packed
	if over := len(packedBytes)/burstSize - limit; over > 0 {
		packedBytes = packedBytes[over*burstSize:]
		s.dropped += uint32(over)
	}
	for ; len(packedBytes) > 0; packedBytes = packedBytes[burstSize:] {
		p := packed{binary.LittleEndian.Uint64(packedBytes), binary.LittleEndian.Uint64(packedBytes[8:])}
		if by != 0 {
			p = p.shifted(by)
		}
		grown += s.push(p, limit)
	}
	return grown
}

// shifted moves a burst along the time line, no further back than origin.
func (p packed) shifted(by time.Duration) packed {
	at := max(p.at().Add(by)-origin, 0)
	p.time = uint64(at)>>tick<<18 | p.time&(1<<18-1)
	return p
}

func (t Totals) shifted(by time.Duration) Totals {
	t.First, t.Last = shift(t.First, by), shift(t.Last, by)
	return t
}

// shift moves an instant that is known. One that would become 0, the unknown instant, becomes the nanosecond before.
func shift(t boottime.Time, by time.Duration) boottime.Time {
	if t == 0 {
		return 0
	}
	if t = t.Add(by); t == 0 {
		return -1
	}
	return t
}
