package beacon

import "math"

// halfWidths are the relative half-widths of the gap bands that are tried: ±2 % is as narrow as a program with a timer, a
// scheduler and a network holds its interval, ±70 % as wide as a band can be and still say anything against chance.
var halfWidths = [...]float64{.02, .03, .05, .07, .10, .14, .20, .27, .35, .45, .55, .70}

// bandWidths are the same widths on a logarithmic scale: ln((1+h)/(1−h)); bandChance what a steady random sender can at
// most put into each (poissonChance); bandCost the price of having searched at this width.
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
	// margin is what every beat must bring before it counts, in nats: a share only just above chance does not become
	// proof by sheer number, because real random traffic is never exactly the null. Gaps spread log-normally by 0.8 are
	// worth 0.05.
	margin = 0.04
	// wilsonZ is the caution with few beats: one standard deviation.
	wilsonZ = 1.0
)

// band is a set of gaps, given by its lowest and highest, that holds more than its share.
type band struct {
	lo, hi        float64 // seconds
	in, of        int     // gaps inside, gaps in all
	share, chance float64
	evidence      float64 // nats, 0 or more
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
// Wilson-bounded share against the most that random traffic would put there.
func (s *Scorer) densestBand(r *reading, uncertainty float64) band {
	n := len(r.sorted)
	best := band{of: n}
	for w, width := range s.widths.log {
		from, k := fullest(r.sorted, width)
		if k < 2 {
			continue
		}
		share := wilsonLower(float64(k), float64(n), wilsonZ)
		if share <= s.widths.chance[w] {
			continue
		}
		middle := (r.sorted[from] + r.sorted[from+k-1]) / 2
		lo, hi, poisson := middle-width/2, middle+width/2, s.widths.chance[w]
		if uncertainty > 0 {
			var ok bool
			if lo, hi, ok = widen(lo, hi, r.sorted[from], r.sorted[from+k-1], uncertainty); !ok {
				continue
			}
			poisson = poissonChance(math.Exp(hi - lo))
		}
		chance := s.chance(r, lo, hi, poisson)
		chance = max(chance, r.edge(from+k, width))
		if halfWidths[w] >= wide {
			chance = max(chance, r.falling(from, from+k, width))
		}
		e := float64(n)*(divergence(share, chance)-margin) - s.widths.cost[w]
		if e <= best.evidence {
			continue
		}
		e *= r.standing(r.sorted[from], r.sorted[from+k-1]) * min(1, (share-strayShare)/(fairShare-strayShare))
		if e > best.evidence {
			best = band{lo: math.Exp(r.sorted[from]), hi: math.Exp(r.sorted[from+k-1]), in: k, of: n,
				share: float64(k) / float64(n), chance: chance, evidence: e}
		}
	}
	return best
}

// chance is the most a band of gaps from lo to hi (logarithms of seconds) would hold if a steady random sender, or the
// flow's own gaps smeared, had made it.
func (s *Scorer) chance(r *reading, lo, hi, poisson float64) float64 {
	own := s.normal.blurred(r.sorted, lo, hi, blur)
	if r.limit > 0 {
		// merging leaves no gap under its limit: random gaps pile up above it
		floor := math.Log(r.limit)
		if hi <= floor {
			return 1
		}
		own = own / max(1e-3, 1-s.normal.blurred(r.sorted, math.Inf(-1), floor, blur))
		poisson = max(poisson, r.poisson(lo, hi))
	}
	return max(poisson, own)
}

// heaviest is the steepest tail, as the exponent of a power law, that still counts as no rhythm.
const heaviest = 2.2

// edge is the share a falling density may put in a band of the given width when the band of the same width above it,
// from sorted index next on, holds what it holds. A rhythm has two edges; a heavy tail with a least gap has one.
func (r *reading) edge(next int, width float64) float64 {
	n := len(r.sorted)
	in := 0
	if next < n {
		in = upTo(r.sorted, r.sorted[next-1]+width) - next
	}
	fall := math.Exp(heaviest * width)
	return min(1-1/fall, fall*(float64(in)+0.3)/float64(n))
}

// wide: from ±45 % on a band is wide enough for its own shape to tell a heavy tail from a timer.
const wide = 0.45

// falling is the share that a power law, started at the lower edge of the band from sorted index from to next, would put
// into it if it went on falling as it does in the lower half of the band (on the scale of logarithms). Jitter fills a band
// evenly in seconds, so its upper half holds more.
func (r *reading) falling(from, next int, width float64) float64 {
	left := float64(len(r.sorted) - from)
	lower := float64(upTo(r.sorted[from:next], (r.sorted[from]+r.sorted[next-1])/2))
	lower = max(0, lower-math.Sqrt(lower)/2) / left // half a standard deviation in favour of the band
	steep := -2 * math.Log(max(1-lower, 1e-9)) / width
	return (1 - math.Exp(-width*min(steep, heaviest))) * left / float64(len(r.sorted))
}

// standing weighs a band by what it explains: 1 if the gaps inside make up a good part of the time, or come in long runs.
// Gaps between the sends of one request are regular too, but short, few in a row, and between them nothing is regular.
func (r *reading) standing(lo, hi float64) float64 {
	in, runs, inside := 0, 0, false
	time := 0.0
	for i, y := range r.logs {
		was := inside
		inside = y >= lo && y <= hi
		if inside {
			in++
			time += r.gaps[i]
			if !was {
				runs++
			}
		}
	}
	byTime := (time/(r.mean*float64(len(r.gaps))) - idleTime) / (fairTime - idleTime)
	byRun := (float64(in)/float64(runs) - shortRun) / (longRun - shortRun)
	return min(1, max(byTime, byRun, 0))
}

const (
	// fairTime: a beacon that sleeps through nights and suspends still explains a quarter of the time it was watched.
	// idleTime: what explains less than a twentieth says nothing about the flow.
	idleTime, fairTime = 0.05, 0.25
	// strayShare of the gaps alike is what the timers of retries and timeouts leave behind; from fairShare on it is the
	// habit of the flow.
	strayShare, fairShare = 0.15, 0.40
	// shortRun and longRun: requests of up to seven sends are ordinary, sixteen gaps alike in a row are a rhythm wherever
	// they are.
	shortRun, longRun = 6.0, 16.0
)

// fullest returns where a window of the given width over sorted values holds most of them, and how many.
func fullest(sorted []float64, width float64) (from, count int) {
	j := 0
	for i := range sorted {
		limit := sorted[i] + width
		for j < len(sorted) && sorted[j] <= limit {
			j++
		}
		if j-i > count {
			from, count = i, j-i
		}
		if j == len(sorted) {
			break
		}
	}
	return from, count
}

// widen opens the band [lo, hi] so that it holds all that could have been seen as the gaps from least to most, given that
// each is off by the uncertainty (all in logarithms of seconds but the last). It is not ok where the clock cannot tell a
// rhythm from its own grid: polling slower than the sender sees every gap as one or two polls, whatever the sender does.
func widen(lo, hi, least, most, uncertainty float64) (float64, float64, bool) {
	low := min(math.Exp(lo), math.Exp(least)-uncertainty/2)
	high := max(math.Exp(hi), math.Exp(most)+uncertainty/2)
	if low <= uncertainty {
		return lo, hi, false
	}
	return math.Log(low), math.Log(high), true
}

// upTo returns how many sorted values are at most x.
func upTo(sorted []float64, x float64) int {
	lo, hi := 0, len(sorted)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if sorted[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// poisson is the share of exponential gaps of the reading's mean between two logarithms, above the merging limit.
func (r *reading) poisson(lo, hi float64) float64 {
	mean := max(r.mean-r.limit, 1e-9)
	return math.Exp(-max(0, math.Exp(lo)-r.limit)/mean) - math.Exp(-max(0, math.Exp(hi)-r.limit)/mean)
}

// roundTrip is the time scale, in seconds, of programs that answer each other: below it the network and the far end set
// the pace, not a timer, and being regular means less.
const roundTrip = 1.0

// paced weighs a rhythm of the given interval against that scale.
func paced(interval float64) float64 { return interval / (interval + roundTrip) }
