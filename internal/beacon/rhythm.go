package beacon

import "math"

// rhythm is the most convincing account of the timing of a flow: one reading of it, the band of its gaps, and for the
// richer patterns what kind they are, their second period, and the time between their sends where that is not the interval.
type rhythm struct {
	band
	reading     *reading
	kind        Codes
	other, step float64
}

// rhythm reads the flow raw and merged and returns the rhythm with the most evidence, of readings the one worth the most at
// its pace: the sends inside check-ins are many and may be more even than the check-ins. The richer patterns are looked for
// only where a single band leaves doubt or a good part of the sends unexplained: they pay more for their search and cannot
// change a clear case. whole is the best account but for that of the sends of one size, which has spent their sizes on being
// found.
func (s *Scorer) rhythm(raw *reading, uncertainty float64) (best, whole rhythm) {
	best = rhythm{band: s.densestBand(raw, uncertainty), reading: raw}
	tau := longHalf(raw.gaps, raw.sorted)
	last, near := raw, raw
	for i, limit := range [...]float64{min(mergeMost, mergeNear*tau), mergeFar * tau} {
		r := &s.readings[i+1]
		r.merge(raw, limit)
		if len(r.start) == len(last.start) || len(r.start) < 3 {
			continue
		}
		last = r
		if i == 0 {
			near = r
		}
		r.limit += uncertainty // on a grid the next gap above the limit is a step away
		s.rank(r)
		b := s.densestBand(r, uncertainty)
		b.evidence -= readingCost
		if b.evidence > 0 {
			b.evidence = weigh(b.evidence, r.brief())
		}
		if h := (rhythm{band: b, reading: r}); h.value() > best.value() {
			best = h
		}
	}
	if len(near.gaps) < minPattern {
		return best, best
	}
	one := best
	inside := float64(best.in) / float64(len(near.gaps))
	doubt := best.evidence < plain || inside < half
	if doubt || best.jitter() > narrow || inside < explained {
		best = best.better(s.twoBands(near, uncertainty))
		best = best.better(s.trend(near, uncertainty))
		best = best.better(s.sawtooth(near, uncertainty))
		best = best.better(s.cycle(near, uncertainty))
	}
	if doubt {
		best = best.better(s.lossy(raw, uncertainty))
		if near != raw {
			best = best.better(s.lossy(near, uncertainty))
		}
		if last != near {
			best = best.better(s.lossy(last, uncertainty))
		}
		best = best.better(s.echo(near, uncertainty))
		best = best.better(s.pairs(raw, uncertainty))
		if near != raw {
			best = best.better(s.pairs(near, uncertainty))
		}
	}
	if one.value() > best.value() && one.jitter() <= narrow && float64(one.in) >= explained*float64(one.of) {
		best = one // a pattern between the sends of a check-in, however sure, does not hide the check-ins
	}
	whole = best
	if doubt {
		best = best.better(s.groups(raw, near.mean, uncertainty))
	}
	return best, whole
}

// better returns whichever rhythm has more evidence.
func (h rhythm) better(other rhythm) rhythm {
	if other.evidence > h.evidence {
		return other
	}
	return h
}

const (
	// plain is the evidence, in nats, that leaves no doubt if the band explains more than about half of the check-ins, and
	// needs no better account if it is narrow and explains most.
	plain, half, narrow, explained = 20.0, 0.55, 0.5, 0.8
	// minPattern is the fewest gaps in which a richer pattern could show twice over.
	minPattern = 10
)

// Readings: sends within a tenth of the typical gap, but never over 5 s, are one check-in of several sends; within a
// quarter of it, one beat with its tasking. A check-in does not last longer than that and still have a rhythm.
// readingCost is the price of each further reading, in nats.
const (
	readingCost = 1.5
	mergeMost   = 5.0
	mergeNear   = 0.1
	mergeFar    = 0.25
)

// brief weighs a reading by how short its beats are against their interval: sessions of hours that come every day are
// somebody's working hours, not check-ins.
func (r *reading) brief() float64 {
	busy := 0.0
	for i, start := range r.start {
		busy += r.end[i] - start
	}
	busy /= r.mean * float64(len(r.start))
	return 1 - ramp(busy, shortBeat, longBeat)
}

// A check-in with its tasking takes up to a tenth of the interval on average; at a third it is a session.
const shortBeat, longBeat = 0.10, 0.33

// longHalf returns the gap length such that gaps at least as long cover half of the time.
func longHalf(gaps, sorted []float64) float64 {
	total := 0.0
	for _, g := range gaps {
		total += g
	}
	half := 0.0
	for i := len(sorted) - 1; i >= 0; i-- {
		g := math.Exp(sorted[i])
		if half += g; half >= total/2 {
			return g
		}
	}
	return 0
}

// logOf is the natural logarithm with a floor at a nanosecond, so that no gap or size makes it infinite.
func logOf(x float64) float64 { return math.Log(max(x, 1e-9)) }
