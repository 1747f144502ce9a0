package history

const (
	// kept is how many of its newest bursts a series keeps when memory is short: three times what the least certain rhythm
	// needs to be told from chance. Only then whole pairs are given up.
	kept = 64
	// pairCost is about what a pair takes beside its ring, in bytes: itself, its flow, its candidate, and its share of what is
	// known of processes.
	pairCost = 4 << 10
	// flowCost is about what a flow takes, in bytes.
	flowCost = 640
	// least is the part of the configured bounds below which Fit does not go: memory that others use is not to be had here.
	least = 8
)

// Fit has the store take room bytes more than it does now, or as many less if room is negative, as far as its configuration
// allows. Less, it gives up the older half of long series first, then flows beyond one a pair, the least recently used first, then
// the pairs with the least evidence. It reports whether it gave anything up, and whether it is full: at a bound below that of its
// configuration, so that with more room it would hold more.
func (s *Store) Fit(room int) (gave, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shrinkMaps()
	defer s.shrinkMaps()
	before := s.stats
	full = len(s.pairs) >= s.maxPairs && s.maxPairs < s.config.MaxPairs
	want := -room - s.trim(-room, nil)
	for ; want > 0 && len(s.flows) > max(len(s.pairs), s.config.MaxFlows/least); want -= flowCost {
		s.evictFlow()
	}
	for want > 0 && len(s.pairs) > s.config.MaxPairs/least {
		held := s.bytes
		s.evict(nil)
		want -= held - s.bytes + pairCost
	}
	gave = s.stats != before
	room = max(room, 0)
	s.maxBytes = min(max(s.bytes+room, s.config.MaxBytes/least), s.config.MaxBytes)
	s.maxPairs = min(max(len(s.pairs)+room/pairCost, s.config.MaxPairs/least, 1), s.config.MaxPairs)
	s.maxFlows = min(max(len(s.flows)+room/flowCost, s.maxPairs, s.config.MaxFlows/least), s.config.MaxFlows)
	return gave, full
}

// trim halves series that are longer than kept, the longest first and suspicious ones last, until so many bytes are free, and
// returns how many are.
func (s *Store) trim(bytes int, spare *pair) (freed int) {
	for b := ranked - 1; freed < bytes && b >= 0; b-- {
		freed += s.trimBucket(b, bytes-freed, spare)
	}
	for halved := 1; freed < bytes && halved > 0; freed += halved {
		halved = s.trimBucket(ranked, bytes-freed, spare)
	}
	return freed
}

// trimBucket halves each series of a bucket once, the least recently used first, as long as bytes are wanted.
func (s *Store) trimBucket(b, bytes int, spare *pair) (freed int) {
	last := s.buckets[b].Back()
	for e := s.buckets[b].Front(); e != nil && freed < bytes; {
		p, next := e.Value.(*pair), e.Next()
		if p != spare {
			if f := p.series.halve(kept); f > 0 {
				s.bytes -= f
				s.stats.Trimmed++
				freed += f
				s.use(p)
			}
		}
		if e == last {
			break
		}
		e = next
	}
	return freed
}

// halve keeps the newest half of a ring, but no fewer slots than least, and returns the bytes that frees.
func (r *ring) halve(least int) (freed int) {
	slots := max(len(r.slots)/2, least)
	if slots >= len(r.slots) {
		return 0
	}
	freed = (len(r.slots) - slots) * burstSize
	next := make([]packed, slots)
	over := max(r.n-slots, 0)
	for i := over; i < r.n; i++ {
		next[i-over] = r.get(i)
	}
	r.slots, r.head, r.n = next, 0, r.n-over
	r.dropped += uint32(over)
	return freed
}
