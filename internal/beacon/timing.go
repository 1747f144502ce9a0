package beacon

import "math"

// halfWidths are the relative half-widths of the gap bands that are tried: ±2 % is as narrow as a program with a timer, a
// scheduler and a network holds its interval, ±70 % as wide as a band can be and still say anything against chance.
var halfWidths = [...]float64{.02, .03, .05, .07, .10, .14, .20, .27, .35, .45, .55, .70}

// widths is what is known of each of halfWidths beforehand: log, the width on a logarithmic scale, ln((1+h)/(1−h));
// chance, what a steady random sender can at most put into it; cost, the price of having searched at this width.
type widths struct {
	log, chance, cost [len(halfWidths)]float64
}

func newWidths() *widths {
	var w widths
	for i, h := range halfWidths {
		r := (1 + h) / (1 - h)
		w.log[i] = math.Log(r)
		w.chance[i] = poissonChance(r)
		// narrow bands fit in more places, so finding one full is worth less
		w.cost[i] = searchCost + placeCost*math.Log(1/w.log[i])
	}
	return &w
}

const (
	// searchCost and placeCost price the search over widths and positions, in nats.
	searchCost = 2.0
	placeCost  = 0.6
	// tight is what a band earns by being narrower than its width, in nats: too little to matter, enough to break ties.
	tight = 0.2
	// lean: a wide band that starts at less than twice the silence its reading was merged at owes its lower edge to the
	// merging, and its upper to any light tail. On a logarithmic scale.
	lean = math.Ln2
	// wilsonZ is the caution with few beats: one standard deviation.
	wilsonZ = 1.0
)

// band is a set of gaps, given by its lowest and highest, that holds more than its share.
type band struct {
	lo, hi        float64 // seconds
	in, of        int     // gaps inside, gaps in all
	share, chance float64
	evidence      float64 // nats
	searched      float64 // the width chance is about, on a logarithmic scale; 0 if it is that of the band
}

// interval is the middle of the band, jitter its relative half-width: the band is interval·(1 ± jitter).
func (b band) interval() float64 { return (b.lo + b.hi) / 2 }

func (b band) jitter() float64 {
	if b.hi <= 0 {
		return 0
	}
	return (b.hi - b.lo) / (b.hi + b.lo)
}

// densestBand returns the band of gaps that is hardest to explain by chance: for each width the fullest position, its
// Wilson-bounded share against the most that random traffic would put there. Its evidence is negative where random traffic
// explains the gaps better.
func (s *Scorer) densestBand(r *reading, uncertainty float64) band {
	n := float64(len(r.sorted))
	// no chance is below that of the steady random sender, so it bounds the evidence before the rest is paid for
	var bound [len(halfWidths)]float64
	from, k := 0, 0
	for w, width := range s.widths.log {
		from, k = fullest(r.sorted, width, from, k)
		r.full[w] = window{from, k}
		bound[w] = worth(n, divergence(wilsonLower(float64(k), n, wilsonZ), s.widths.chance[w])) - s.widths.cost[w] + tight
	}
	best := band{of: len(r.sorted), evidence: math.Inf(-1)}
	for {
		w := 0
		for v, b := range bound {
			if b > bound[w] {
				w = v
			}
		}
		if bound[w] <= best.evidence {
			return best
		}
		if b := s.judge(r, w, uncertainty); b.evidence > best.evidence {
			best = b
		}
		bound[w] = math.Inf(-1)
	}
}

// judge returns the fullest band of width number w with its evidence.
func (s *Scorer) judge(r *reading, w int, uncertainty float64) band {
	n := float64(len(r.sorted))
	from, k := r.full[w].from, r.full[w].count
	lo, hi := r.sorted[from], r.sorted[from+k-1]
	share := wilsonLower(float64(k), n, wilsonZ)
	chance := s.chance(r, from, k, w, uncertainty)
	e := worth(n, divergence(share, chance)) - s.widths.cost[w] + tight*(1-(hi-lo)/s.widths.log[w])
	if e > 0 {
		s.marks = s.marks[:0]
		for _, y := range r.logs {
			s.marks = append(s.marks, y >= lo && y <= hi)
		}
		e = weigh(e, r.standing(s.marks, math.Exp((lo+hi)/2), (hi-lo)/2)*habit(share))
	}
	return band{lo: math.Exp(lo), hi: math.Exp(hi), in: k, of: len(r.sorted), share: float64(k) / n, chance: chance,
		evidence: e, searched: s.widths.log[w]}
}

// chance is the most of its gaps that a reading without a rhythm would have in the band of width number w that holds k
// sorted gaps from index from on: be it a steady random sender, the flow's own gaps smeared, a tail that only falls, a
// random wait after a least time, a clock that cannot tell or a band that merging cut out (1).
func (s *Scorer) chance(r *reading, from, k, w int, uncertainty float64) float64 {
	width, poisson := s.widths.log[w], s.widths.chance[w]
	middle := (r.sorted[from] + r.sorted[from+k-1]) / 2
	lo, hi := middle-width/2, middle+width/2
	if uncertainty > 0 {
		var ok bool
		if lo, hi, ok = widen(lo, hi, r.sorted[from], r.sorted[from+k-1], uncertainty); !ok {
			return 1
		}
		poisson = poissonChance(math.Exp(hi - lo))
	}
	own := s.normal.blurred(r.sorted, lo, hi, blur)
	if r.limit > 0 {
		// merging leaves no gap under its limit: random gaps pile up above it
		floor := math.Log(r.limit)
		if hi <= floor {
			return 1
		}
		own = own / max(1e-3, 1-s.normal.blurred(r.sorted, math.Inf(-1), floor, blur))
		if halfWidths[w] >= wide && r.sorted[from] < floor+lean {
			return 1 // cut out by the merging
		}
		poisson = max(poisson, r.poisson(lo, hi))
	}
	most := max(poisson, own, r.edge(from+k, hi-lo))
	if halfWidths[w] >= wide {
		most = max(most, r.falling(from, from+k, width), r.waiting(from, from+k, width))
	}
	return min(most, 1)
}
