package history

import (
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Recent calls visit for each pair that has sent since then. visit runs without the lock.
func (s *Store) Recent(since boottime.Time, visit func(Key, send.Destination)) {
	for _, p := range s.recent(since) {
		visit(p.program.key, p.key.destination) // neither ever changes
	}
}

func (s *Store) recent(since boottime.Time) []*pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*pair
	for _, p := range s.pairs {
		if p.totals.Last >= since {
			found = append(found, p)
		}
	}
	return found
}
