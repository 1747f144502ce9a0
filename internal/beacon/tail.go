package beacon

import "math"

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
	steep := 2 * r.decline(from, next) / width
	return (1 - math.Exp(-width*min(steep, heaviest))) * float64(len(r.sorted)-from) / float64(len(r.sorted))
}

// waiting is the same for a least time and an exponential wait after it: a cache that must expire before somebody asks
// again, a job that takes some time at least. In seconds the band is 1 + e^(width/2) times as long as its lower half.
func (r *reading) waiting(from, next int, width float64) float64 {
	all := 1 - math.Exp(-r.decline(from, next)*(1+math.Exp(width/2)))
	return all * float64(len(r.sorted)-from) / float64(len(r.sorted))
}

// decline is the logarithm by which the gaps from the lower edge of the band from sorted index from to next on become fewer
// over its lower half, half a standard deviation in favour of the band.
func (r *reading) decline(from, next int) float64 {
	lower := float64(upTo(r.sorted[from:next], (r.sorted[from]+r.sorted[next-1])/2))
	lower = max(0, lower-math.Sqrt(lower)/2) / float64(len(r.sorted)-from)
	return -math.Log(max(1-lower, 1e-9))
}
