package beacon

import "math"

// groups looks at the sends of one size by themselves: check-ins stand out from other requests to the same destination,
// and of two implants each has its own size. Sends of one size that come at random among others come at random. step is
// the time between the check-ins of the whole flow.
func (s *Scorer) groups(raw *reading, step, uncertainty float64) rhythm {
	best := rhythm{reading: raw, band: band{of: len(raw.gaps), evidence: math.Inf(-1)}}
	n := len(raw.bytes)
	logs := s.sizes[:0]
	for _, b := range raw.bytes {
		logs = append(logs, logOf(b))
	}
	s.sizes = append(logs, logs...) // the first half gets sorted
	sorted, inOrder := s.sizes[:n], s.sizes[n:]
	s.room = sortSpread(sorted, s.room)
	from, count := fullest(sorted, groupWidth, 0, 0)
	at, second := fullestBeside(sorted, groupWidth, from, from+count)
	for i, g := range [...]window{{from, count}, {at, second}} {
		if g.count < minPattern || float64(g.count) > groupMost*float64(n) {
			continue
		}
		lo, hi := sorted[g.from], sorted[g.from+g.count-1]
		r := &s.readings[4+i]
		r.reset()
		for j, y := range inOrder {
			if y >= lo && y <= hi {
				r.add(raw.start[j], raw.end[j], raw.bytes[j])
			}
		}
		r.limit = 0
		r.measure()
		s.rank(r)
		b := s.densestBand(r, uncertainty)
		if b.evidence -= groupCost; b.evidence > best.evidence {
			best = rhythm{reading: r, kind: SizeGroup, step: step, band: b}
		}
	}
	return best
}

const (
	// groupWidth is how far apart, in logarithms, sizes of one group are: ±3 %, the counters and padding of a protocol.
	groupWidth = 0.06
	// groupMost: a group of nine sends in ten is the flow.
	groupMost = 0.9
	// groupCost is the price of picking a group, in nats.
	groupCost = 3.0
)
