package beacon

// missedMost is the longest run of intervals that one gap is taken to span; longer silences are sleep, not loss.
const missedMost = 5

// missed counts the beats that the longer gaps say were lost: a gap of m intervals, within the jitter of one, hides m − 1.
// Lost beats are reported, not scored: the gaps at one interval carry the evidence, even with two beats in five lost, and
// bands at 2T and 3T as well would let any heavy tail in.
func missed(gaps []float64, b band) int {
	interval, lost := b.interval(), 0
	if interval <= 0 || b.jitter() > missedJitter {
		return 0
	}
	// the jitters of a sum average out, so the band around m intervals is about as wide as around one
	slack := max(b.hi-b.lo, missedSlack*interval) / 2
	for _, g := range gaps {
		if g <= b.hi {
			continue
		}
		for m := 2; m <= missedMost; m++ {
			if off := g - float64(m)*interval; off >= -slack && off <= slack {
				lost += m - 1
				break
			}
		}
	}
	return lost
}

const (
	// missedJitter: with more jitter than this the bands at T and 2T touch and nothing can be counted.
	missedJitter = 0.27
	// missedSlack: even an exact timer is read through a scheduler; a twentieth of the interval.
	missedSlack = 0.05
)
