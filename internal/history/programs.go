package history

import (
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Program is a copy of what is held of one program. Destinations are those still held, in no order.
type Program struct {
	ID           uint64
	Key          Key
	Latest       process.ID // the process that sent last
	Totals       Totals
	Destinations []send.Destination
}

// Programs returns each program that f matches; with a remote address, those that have sent there, with all their
// destinations.
func (s *Store) Programs(f Filter) []Program {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := map[*program]int{}
	var found []Program
	wanted := func(p *program) int {
		i, ok := at[p]
		if !ok {
			i = len(found)
			at[p] = i
			found = append(found, Program{ID: p.id, Key: p.key, Latest: p.latest, Totals: p.totals})
		}
		return i
	}
	if f.PID != 0 {
		for _, fl := range s.byPID[f.PID] {
			if f.matches(&fl.pair.program.key, &fl.key.destination) {
				wanted(fl.pair.program)
			}
		}
	} else {
		for k := range s.pairs {
			if f.matches(&k.program.key, &k.destination) {
				wanted(k.program)
			}
		}
	}
	for k := range s.pairs {
		if i, ok := at[k.program]; ok {
			found[i].Destinations = append(found[i].Destinations, k.destination)
		}
	}
	return found
}

// Together returns, for each program with a series over all its destinations, those still held that take part in it, by the
// ID of the program.
func (s *Store) Together() map[uint64][]send.Destination {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[uint64][]send.Destination{}
	for k, p := range s.pairs {
		if p.joins && p.program.hasAll {
			found[p.program.id] = append(found[p.program.id], k.destination)
		}
	}
	return found
}
