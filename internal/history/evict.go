package history

import (
	"container/list"
	"slices"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// fairness is how many of the least-used pairs of a bucket are compared by the size of their program: whoever holds the
// most pairs gives one up, so a flooder evicts itself first.
const fairness = 64

// use files p as just used in the bucket its evidence puts it in.
func (s *Store) use(p *pair) {
	if b := p.bucketOf(); b != p.bucket {
		s.buckets[p.bucket].Remove(p.place)
		p.bucket = b
		p.place = s.buckets[b].PushBack(p)
		return
	}
	s.buckets[p.bucket].MoveToBack(p.place)
}

// evict forgets the pair with the least evidence other than spare, and reports whether there was one.
func (s *Store) evict(spare *pair) bool {
	for b := range s.buckets {
		var victim *pair
		n := 0
		for e := s.buckets[b].Front(); e != nil && n < fairness; e, n = e.Next(), n+1 {
			if p := e.Value.(*pair); p != spare && (victim == nil || p.program.pairs > victim.program.pairs) {
				victim = p
			}
		}
		if victim != nil {
			s.stats.Evictions++
			s.stats.Dropped += uint64(victim.series.len())
			s.drop(victim)
			return true
		}
	}
	return false
}

// shrink makes room until the rings fit their budget, but never takes the pair that is growing.
func (s *Store) shrink(growing *pair) {
	if s.bytes <= s.maxBytes {
		return
	}
	s.trim(s.bytes-s.maxBytes+s.maxBytes/32, growing) // some in advance: it looks through many pairs
	for s.bytes > s.maxBytes && s.evict(growing) {
	}
}

// drop removes p, its flows, and its program if that was the last of it.
func (s *Store) drop(p *pair) {
	s.buckets[p.bucket].Remove(p.place)
	delete(s.pairs, p.key)
	delete(s.byID, p.id)
	s.bytes -= len(p.series.slots) * 16
	s.unmark(p)
	for len(p.flows) > 0 {
		s.dropFlow(p.flows[len(p.flows)-1])
	}
	prog := p.program
	prog.pairs--
	if prog.only == p {
		prog.only = nil
	}
	if prog.pairs == 0 {
		delete(s.programs, prog.key)
		delete(s.allByID, prog.id)
		s.unmarkAll(prog)
		s.bytes -= len(prog.all.slots) * 16
	}
}

// evictFlow forgets the flow least recently used.
func (s *Store) evictFlow() {
	s.dropFlow(s.flowUse.Front().Value.(*flow))
	s.stats.FlowEvictions++
}

func (s *Store) dropFlow(f *flow) {
	s.flowUse.Remove(f.place)
	delete(s.flows, f.key)
	f.pair.flows = slices.DeleteFunc(f.pair.flows, func(o *flow) bool { return o == f })
	pid := f.key.id.PID
	rest := slices.DeleteFunc(s.byPID[pid], func(o *flow) bool { return o == f })
	if len(rest) == 0 {
		delete(s.byPID, pid)
		return
	}
	s.byPID[pid] = rest
}

// Sweep forgets pairs silent for longer than the retention. Call it now and then; it walks the pairs.
func (s *Store) Sweep(now boottime.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := range s.buckets {
		var next *list.Element
		for e := s.buckets[b].Front(); e != nil; e = next {
			next = e.Next()
			if p := e.Value.(*pair); now.Sub(p.totals.Last) > s.config.Retention {
				s.drop(p)
			}
		}
	}
}

// SetEvidence tells the store what ranking made of a pair, so that it keeps the suspicious ones longest. Unknown ids are
// ignored: the pair may be gone.
func (s *Store) SetEvidence(id uint64, evidence float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byID[id]; p != nil && p.evidence != float32(evidence) {
		p.evidence = float32(evidence)
		if b := p.bucketOf(); b != p.bucket {
			s.use(p)
		}
	}
}

// Clear forgets everything. Counters of the store itself stay.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := range s.buckets {
		for e := s.buckets[b].Front(); e != nil; e = s.buckets[b].Front() {
			s.drop(e.Value.(*pair))
		}
	}
}
