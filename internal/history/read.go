package history

import (
	"net/netip"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// View is a copy of one pair, or of one program over all its destinations (All), for a reader outside the lock. Bursts
// are oldest first and reused from call to call.
type View struct {
	ID           uint64
	All          bool
	Key          Key
	Destination  send.Destination // zero if All
	Socket       send.Socket      // the latest, zero if All
	Latest       process.ID       // the process that sent last
	Processes    int              // ever seen on the pair, or on the program
	Destinations int              // ever seen of the program
	Totals       Totals
	Bursts       []Burst
	Begun        uint64 // bursts ever begun, forgotten ones included
	ProgramID    uint64
}

func (p *pair) view(v *View) {
	*v = View{ID: p.id, Key: p.program.key, Destination: p.key.destination, Socket: p.socket, Latest: p.latest,
		Processes: p.processes, Destinations: p.program.ever, Totals: p.totals, Begun: p.series.bursts,
		ProgramID: p.program.id, Bursts: p.series.appendTo(v.Bursts[:0])}
}

func (p *program) view(v *View) {
	*v = View{ID: p.id, All: true, Key: p.key, Latest: p.latest, Processes: p.processes, Destinations: p.ever, Totals: p.totals,
		Begun: p.all.bursts, ProgramID: p.id, Bursts: p.all.appendTo(v.Bursts[:0])}
}

// Drain hands a copy of each pair that changed since the last Drain to visit, then each program with more than one
// destination; where visit returns false it is asked again at the next Drain. The lock is held only while one is copied.
// v is scratch; only one Drain may run at a time.
func (s *Store) Drain(v *View, visit func(*View) bool) {
	s.mu.Lock()
	pairs, programs := s.dirty, s.dirtyAll
	s.dirty, s.dirtyAll = s.spare[:0], nil
	for _, p := range pairs {
		p.dirtyAt = 0
	}
	for _, p := range programs {
		p.dirtyAt = 0
	}
	s.mu.Unlock()
	for _, p := range pairs {
		if s.copyPair(p, v) && !visit(v) {
			s.again(func() { s.mark(p) })
		}
	}
	for _, p := range programs {
		if s.copyAll(p, v) && !visit(v) {
			s.again(func() { s.markAll(p) })
		}
	}
	clear(pairs)
	s.mu.Lock()
	s.spare = pairs
	s.mu.Unlock()
}

func (s *Store) again(mark func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark()
}

func (s *Store) copyPair(p *pair, v *View) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[p.id] != p {
		return false
	}
	p.view(v)
	return true
}

func (s *Store) copyAll(p *program, v *View) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.allByID[p.id] != p {
		return false
	}
	p.view(v)
	return true
}

// Alive calls gone for each id that is no longer held.
func (s *Store) Alive(ids []uint64, gone func(id uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.byID[id] == nil && s.allByID[id] == nil {
			gone(id)
		}
	}
}

// Filter narrows a read by equality. Zero fields match all.
type Filter struct {
	PID    int32
	Path   string
	Remote netip.Addr
}

func (f Filter) matches(k *Key, d *send.Destination) bool {
	return (f.Path == "" || f.Path == k.Program.Path) && (!f.Remote.IsValid() || f.Remote == d.Remote.Addr())
}

// Flows calls visit for each process and destination that f matches. v is scratch; visit runs without the lock.
func (s *Store) Flows(f Filter, visit func(*Flow)) {
	var (
		v       Flow
		scratch []uint32
	)
	for _, fl := range s.selectFlows(f) {
		s.mu.Lock()
		fl.view(&v, &scratch)
		s.mu.Unlock()
		visit(&v)
	}
}

func (s *Store) selectFlows(f Filter) []*flow {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*flow
	if f.PID != 0 {
		for _, fl := range s.byPID[f.PID] {
			if f.matches(&fl.pair.program.key, &fl.key.destination) {
				found = append(found, fl)
			}
		}
		return found
	}
	for e := s.flowUse.Back(); e != nil; e = e.Prev() {
		if fl := e.Value.(*flow); f.matches(&fl.pair.program.key, &fl.key.destination) {
			found = append(found, fl)
		}
	}
	return found
}

// Pairs calls visit for each pair that f matches; with a PID, those that process is known to have sent on, with it as the
// Latest. visit runs without the lock, v is scratch.
func (s *Store) Pairs(f Filter, v *View, visit func(*View)) {
	for _, c := range s.selectPairs(f) {
		s.mu.Lock()
		c.pair.view(v)
		s.mu.Unlock()
		if f.PID != 0 {
			v.Latest = c.sender
		}
		visit(v)
	}
}

type chosen struct {
	pair   *pair
	sender process.ID // of the flow that led here, if one did
}

func (s *Store) selectPairs(f Filter) []chosen {
	var found []chosen
	if f.PID != 0 {
		for _, fl := range s.selectFlows(f) {
			found = append(found, chosen{fl.pair, fl.key.id})
		}
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.pairs {
		if f.matches(&k.program.key, &k.destination) {
			found = append(found, chosen{pair: p})
		}
	}
	return found
}
