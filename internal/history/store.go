// Package history is the bounded memory of the sensor: for each program and destination the newest micro-bursts and the
// totals, for each process and destination the counters. It knows no sources and no scores; what to forget first it
// decides by the evidence a pair holds, so that a flood of one-off connections cannot flush a beacon.
package history

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
)

// Config bounds a Store. Zero fields take the defaults.
type Config struct {
	MaxPairs  int           // programs × destinations; default 10 000
	MaxFlows  int           // processes × destinations; default 16 384
	MaxBursts int           // per series; default 512
	MaxBytes  int           // of all rings together; default 48 MiB
	Retention time.Duration // a pair silent for longer is forgotten by Sweep; default 7 days
	// Joins says whether a destination takes part in its program's series over all destinations; nil means all do. It is
	// asked once for each new pair, with the store locked.
	Joins func(send.Destination) bool
}

func (c Config) withDefaults() (Config, error) {
	defaults := Config{MaxPairs: 10_000, MaxFlows: 16_384, MaxBursts: 512, MaxBytes: 48 << 20, Retention: 7 * 24 * time.Hour}
	for _, f := range []struct {
		name     string
		v        *int
		fallback int
	}{{"MaxPairs", &c.MaxPairs, defaults.MaxPairs}, {"MaxFlows", &c.MaxFlows, defaults.MaxFlows},
		{"MaxBursts", &c.MaxBursts, defaults.MaxBursts}, {"MaxBytes", &c.MaxBytes, defaults.MaxBytes}} {
		if *f.v < 0 {
			return c, fmt.Errorf("history: %s is %d, it must not be negative", f.name, *f.v)
		}
		if *f.v == 0 {
			*f.v = f.fallback
		}
	}
	if c.MaxBursts < firstRing {
		return c, fmt.Errorf("history: MaxBursts is %d, it must be at least %d", c.MaxBursts, firstRing)
	}
	if c.Retention == 0 {
		c.Retention = defaults.Retention
	}
	return c, nil
}

// Store records sends. All methods may be called concurrently.
type Store struct {
	config Config

	mu       sync.Mutex // guards everything below
	programs map[Key]*program
	pairs    map[pairKey]*pair
	byID     map[uint64]*pair
	allByID  map[uint64]*program
	flows    map[flowKey]*flow
	byPID    map[int32][]*flow
	buckets  [buckets]list.List // of *pair, in the order of use
	flowUse  list.List          // of *flow, in the order of use
	dirty    []*pair
	spare    []*pair // the list Drain gave back
	dirtyAll []*program
	lastID   uint64
	bytes    int
	maxBytes int // of all rings now, see Fit
	maxPairs int
	maxFlows int
	most     [6]int // entries of the maps above, see package shrink
	stats    Stats
}

// Stats are the store's bounds at work.
type Stats struct {
	Pairs, Flows, Programs int
	MaxPairs               int
	RingBytes              int
	Evictions              uint64 // pairs forgotten to stay within bounds
	FlowEvictions          uint64 // flows forgotten although their pair is not
	Dropped                uint64 // bursts of pairs evicted
	Trimmed                uint64 // series of which the older half was forgotten
	MaxRingBytes           int
}

// New returns an empty store.
func New(c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Store{config: c, programs: map[Key]*program{}, pairs: map[pairKey]*pair{}, byID: map[uint64]*pair{}, allByID: map[uint64]*program{},
		flows: map[flowKey]*flow{}, byPID: map[int32][]*flow{}, maxBytes: c.MaxBytes, maxPairs: c.MaxPairs, maxFlows: c.MaxFlows}, nil
}

// shrinkMaps gives back the room of what was forgotten.
func (s *Store) shrinkMaps() {
	s.programs, s.allByID = shrink.Map(s.programs, &s.most[0]), shrink.Map(s.allByID, &s.most[1])
	s.pairs, s.byID = shrink.Map(s.pairs, &s.most[2]), shrink.Map(s.byID, &s.most[3])
	s.flows, s.byPID = shrink.Map(s.flows, &s.most[4]), shrink.Map(s.byPID, &s.most[5])
}

// Record files one send of process id, which is an instance of key. It allocates only when a pair, a process or a ring is
// new or grows.
func (s *Store) Record(key *Key, id process.ID, sd *send.Send) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flow(key, id, sd.Socket.Destination())
	p := f.pair
	f.add(sd)
	p.totals.add(sd)
	p.program.totals.add(sd)
	p.latest, p.program.latest, p.socket = id, id, sd.Socket
	if sd.Kind == send.Close && sd.Bytes == 0 {
		return // an end without payload is no beat
	}
	b := burstOf(sd)
	grown, began := p.series.add(b, s.config.MaxBursts)
	if p.joins && p.program.hasAll {
		g, _ := p.program.all.add(b, s.config.MaxBursts)
		grown += g
		s.markAll(p.program)
	}
	s.mark(p)
	if began {
		s.use(p)
	}
	if grown > 0 {
		s.bytes += grown
		s.shrink(p)
	}
}

// pair finds the pair, or makes it and counts it among those of its program.
func (s *Store) pair(key *Key, d send.Destination) *pair {
	if prog := s.programs[*key]; prog != nil {
		if p := s.pairs[pairKey{program: prog, destination: d}]; p != nil {
			return p
		}
	}
	p := s.create(key, d)
	if p.joins {
		s.join(p.program, p)
	}
	return p
}

// create makes a pair that is not there yet, and its program where that is new.
func (s *Store) create(key *Key, d send.Destination) *pair {
	prog := s.programs[*key]
	if prog == nil {
		s.lastID++
		prog = &program{key: *key, id: s.lastID}
		s.programs[*key], s.allByID[prog.id] = prog, prog
	}
	pk := pairKey{program: prog, destination: d}
	for len(s.pairs) >= s.maxPairs && s.evict(nil) {
	}
	s.programs[*key], s.allByID[prog.id] = prog, prog // eviction may have dropped its last pair
	s.lastID++
	p := &pair{key: pk, id: s.lastID, program: prog, joins: s.config.Joins == nil || s.config.Joins(d)}
	s.pairs[pk], s.byID[p.id] = p, p
	p.place = s.buckets[0].PushBack(p)
	prog.pairs++
	return p
}

// join counts p among the destinations of its program, whose own series begins with the second: until then it would only
// repeat the first.
func (s *Store) join(prog *program, p *pair) {
	prog.ever++
	if prog.ever == 1 {
		prog.only = p
		return
	}
	if !prog.hasAll && prog.only != nil {
		s.bytes += prog.all.copyFrom(&prog.only.series)
	}
	prog.hasAll, prog.only = true, nil
}

// flow finds the flow, and with it pair and program, by one look-up where all exist.
func (s *Store) flow(key *Key, id process.ID, d send.Destination) *flow {
	var known *program
	if id == (process.ID{}) {
		known = s.programs[*key]
	}
	if f := s.flows[known.flowKey(id, d)]; f != nil && f.pair.program.key == *key {
		s.flowUse.MoveToBack(f.place)
		return f
	} else if f != nil { // the process has become another program (execve)
		s.dropFlow(f)
	}
	p := s.pair(key, d)
	p.processes++
	if p.program.latest != id {
		p.program.processes++ // a process that alternates with another counts again: an upper bound
	}
	return s.addFlow(p, p.program.flowKey(id, d))
}

// addFlow makes the flow k of p, forgetting the one least recently used where there are too many.
func (s *Store) addFlow(p *pair, k flowKey) *flow {
	if len(s.flows) >= s.maxFlows {
		s.evictFlow()
	}
	f := &flow{key: k, pair: p}
	f.place = s.flowUse.PushBack(f)
	s.flows[k] = f
	s.byPID[k.id.PID] = append(s.byPID[k.id.PID], f)
	p.flows = append(p.flows, f)
	return f
}

// mark notes that p changed since the last Drain.
func (s *Store) mark(p *pair) {
	if p.dirtyAt == 0 {
		s.dirty = append(s.dirty, p)
		p.dirtyAt = len(s.dirty)
	}
}

func (s *Store) markAll(p *program) {
	if p.dirtyAt == 0 {
		s.dirtyAll = append(s.dirtyAll, p)
		p.dirtyAt = len(s.dirtyAll)
	}
}

// unmark takes p out of the changed ones, so that what is dropped is not kept alive by the list.
func (s *Store) unmark(p *pair) {
	if p.dirtyAt > 0 {
		last := s.dirty[len(s.dirty)-1]
		s.dirty[p.dirtyAt-1], last.dirtyAt = last, p.dirtyAt
		s.dirty[len(s.dirty)-1] = nil
		s.dirty = s.dirty[:len(s.dirty)-1]
		p.dirtyAt = 0
	}
}

func (s *Store) unmarkAll(p *program) {
	if p.dirtyAt > 0 {
		last := s.dirtyAll[len(s.dirtyAll)-1]
		s.dirtyAll[p.dirtyAt-1], last.dirtyAt = last, p.dirtyAt
		s.dirtyAll[len(s.dirtyAll)-1] = nil
		s.dirtyAll = s.dirtyAll[:len(s.dirtyAll)-1]
		p.dirtyAt = 0
	}
}

// Stats returns the present counters.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Pairs, st.Flows, st.Programs, st.RingBytes = len(s.pairs), len(s.flows), len(s.programs), s.bytes
	st.MaxPairs, st.MaxRingBytes = s.maxPairs, s.maxBytes
	return st
}
