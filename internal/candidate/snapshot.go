package candidate

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

// Snapshot is a ranked list, most evidence first. It never changes.
type Snapshot struct {
	ranked []*Candidate
	index  sync.Once // the first query that needs the maps builds them
	places map[*Candidate]int
	byPID  map[int32][]*Candidate
	byPath map[string][]*Candidate
	byAddr map[netip.Addr][]*Candidate
}

func newSnapshot(all []*Candidate) *Snapshot {
	slices.SortFunc(all, func(a, b *Candidate) int {
		return cmp.Or(cmp.Compare(b.Result.Evidence, a.Result.Evidence), cmp.Compare(a.Signature, b.Signature), cmp.Compare(a.ID, b.ID))
	})
	return &Snapshot{ranked: all}
}

func (s *Snapshot) build() {
	s.byPID, s.byPath, s.byAddr = map[int32][]*Candidate{}, map[string][]*Candidate{}, map[netip.Addr][]*Candidate{}
	s.places = make(map[*Candidate]int, len(s.ranked))
	for i, c := range s.ranked {
		s.places[c] = i
		s.byPID[c.Process.PID] = append(s.byPID[c.Process.PID], c)
		s.byPath[c.Key.Program.Path] = append(s.byPath[c.Key.Program.Path], c)
		s.byAddr[c.Destination.Remote.Addr()] = append(s.byAddr[c.Destination.Remote.Addr()], c)
	}
}

// ofPrograms returns the candidates of each program, by its ID in the history.
func (s *Snapshot) ofPrograms() map[uint64][]*Candidate {
	found := map[uint64][]*Candidate{}
	for _, c := range s.ranked {
		found[c.program] = append(found[c.program], c)
	}
	return found
}

// Rank is the place of a candidate of this snapshot, 1 for the one with the most evidence.
func (s *Snapshot) Rank(c *Candidate) int {
	s.index.Do(s.build)
	return s.places[c] + 1
}

// Select returns the candidates that f matches, most evidence first. The slice is shared: read only.
func (s *Snapshot) Select(f history.Filter) []*Candidate {
	if f == (history.Filter{}) {
		return s.ranked
	}
	s.index.Do(s.build)
	var found []*Candidate
	switch {
	case f.PID != 0:
		found = s.byPID[f.PID]
	case f.Path != "":
		found = s.byPath[f.Path]
	case f.Remote.IsValid():
		found = s.byAddr[f.Remote]
	}
	return slices.DeleteFunc(slices.Clone(found), func(c *Candidate) bool {
		return f.Path != "" && c.Key.Program.Path != f.Path || f.Remote.IsValid() && c.Destination.Remote.Addr() != f.Remote
	})
}
