package beacon

import "math"

// echo looks for a rhythm under other traffic to the same destination, or for two rhythms interleaved: sends come between
// the beats, so no gap shows the interval, but a send at t is followed by one at t + T more often than at any other
// distance near T.
func (s *Scorer) echo(r *reading, uncertainty float64) rhythm {
	n := len(r.start)
	best := rhythm{reading: r, kind: TwoPeriods, step: r.mean, band: band{of: n - 1, evidence: math.Inf(-1)}}
	top := s.peak(r)
	if top <= 2*uncertainty || top <= 0 {
		return best
	}
	for _, try := range echoTries {
		if b := r.echoAt(top*try.at, try.h, uncertainty, best.evidence); b.evidence > best.evidence {
			best.band = b
		}
	}
	return best
}

// echoAt returns the band of interval·(1 ± h) with its evidence, or one without evidence if that is not above least.
func (r *reading) echoAt(interval, h, uncertainty, least float64) band {
	none := band{evidence: math.Inf(-1)}
	if interval*h < uncertainty {
		return none
	}
	hits, of := r.followed(interval, h)
	if of < minPattern {
		return none
	}
	n := float64(of)
	share := wilsonLower(float64(hits), n, wilsonZ)
	// sends that fall into the window anyway
	chance := 1 - math.Exp(-2*h*interval/r.mean)
	if e := worth(n, divergence(share, chance)) - echoCost; share < echoShare || e <= max(0, least) {
		return none
	}
	// the same question at shorter distances that are no simple fraction of T says what chance does here
	off := 0.0
	for _, x := range echoOff {
		if k, m := r.followed(interval*x, h/x); m > 0 {
			off += float64(k) / float64(m) / float64(len(echoOff))
		}
	}
	chance = max(off, chance)
	e := worth(n, divergence(share, chance)) - echoCost
	if e > 0 {
		// other sends come between the beats, so the interval is longer than the mean gap; retries echo at shorter ones
		e *= ramp(interval/r.mean, echoAlone, echoAmong)
	}
	return band{lo: interval * (1 - h), hi: interval * (1 + h), in: hits, of: of, share: float64(hits) / n, chance: chance,
		evidence: e}
}

// echoTries are the windows tried: the peak is found sharp, but that of a wide jitter may lie beside the middle.
var echoTries = [...]struct{ at, h float64 }{{1, 0.03}, {1, 0.08}, {1, 0.16}, {0.92, 0.16}, {1.08, 0.16}, {1, 0.25}, {1.12, 0.25}}

// echoOff are the distances, in intervals, that an echo is held against.
var echoOff = [...]float64{0.62, 0.71, 0.81}

const (
	// echoOrders is how many sends ahead an echo is looked for.
	echoOrders = 5
	// echoShare is the least share of sends that must be followed: the timers of retries leave weaker echoes.
	echoShare = 0.4
	// echoAlone and echoAmong: at a mean gap or less the bands see the interval themselves.
	echoAlone, echoAmong = 0.9, 1.4
	// echoCost is the price of the search over distances, in nats.
	echoCost = 4.5
	// Distances are counted in classes of 1/16 octave, read off the bits of the floating-point number, over 40 octaves.
	echoShift, echoClasses = 48, 16 * 40
)

// peak returns the distance between sends, up to a few apart, that stands out most from distances a little shorter and
// longer; 0 if none does.
func (s *Scorer) peak(r *reading) float64 {
	if len(s.peaks) == 0 {
		s.peaks = make([]int32, echoClasses)
	}
	clear(s.peaks)
	// 2^-10 s is the first class
	base := int(math.Float64bits(1.0/1024) >> echoShift)
	for i, t := range r.start {
		for _, u := range r.start[i+1 : min(len(r.start), i+1+echoOrders)] {
			class := int(math.Float64bits(u-t)>>echoShift) - base
			if class >= 0 && class < echoClasses {
				s.peaks[class]++
			}
		}
	}
	best, at := 0.0, -1
	for c := peakReach; c < echoClasses-peakReach; c++ {
		top := s.peaks[c] + s.peaks[c+1]
		if top < minPattern/2 {
			continue
		}
		around := int32(0)
		for d := 2; d <= peakReach; d++ {
			around += s.peaks[c-d+1] + s.peaks[min(c+d, echoClasses-1)]
		}
		expected := float64(around) / (peakReach - 1)
		if z := (float64(top) - expected) / math.Sqrt(expected+1); z > best {
			best, at = z, c
		}
	}
	if at < 0 {
		return 0
	}
	return math.Float64frombits(uint64(at+1+base) << echoShift)
}

// peakReach is how many classes to each side a peak is compared with.
const peakReach = 6

// followed counts the sends that have another within (1 ± h) of the interval after them, of those that could. Sends closer
// together than such a window is wide count once: two bursts an hour apart are one coincidence, however many sends each has.
func (r *reading) followed(interval, h float64) (hits, of int) {
	j, last := 0, math.Inf(-1)
	end := r.start[len(r.start)-1]
	lo, hi := interval*(1-h), interval*(1+h)
	for _, t := range r.start {
		if t+hi > end {
			break
		}
		if t-last < hi-lo {
			continue
		}
		last = t
		of++
		for r.start[j] < t+lo {
			j++
		}
		if r.start[j] <= t+hi {
			hits++
		}
	}
	return hits, of
}
