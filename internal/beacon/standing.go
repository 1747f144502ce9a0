package beacon

import "math"

// standing weighs a pattern of the given interval by what it explains of the flow, from 0 to 1. Gaps between the sends of
// one request or between retries are regular too, but they are short and few, and between them nothing is regular. So the
// marked gaps must make up a good part of all the time, or be many from one pause too long for missed beats to the next; and
// they, with the gaps that are two to five intervals long, a good part of the time that the flow was not silent. slack is the relative
// half-width of the pattern.
func (r *reading) standing(marked []bool, interval, slack float64) float64 {
	in, sessions := 0, 1
	regular, missed, active, total := 0.0, 0.0, 0.0, 0.0
	slack = min(max(slack, standSlack), standSlackMost)
	for i, g := range r.gaps {
		total += g
		if marked[i] {
			in++
			regular += g
		}
		if g > (missedMost+1)*interval {
			sessions++
		}
		if g > silence*interval {
			continue
		}
		active += g
		if marked[i] {
			continue
		}
		if turns := math.Round(g / interval); turns >= 2 && turns <= missedMost && math.Abs(g/interval-turns) <= slack {
			missed += g
		}
	}
	if in == 0 || total == 0 || active == 0 {
		return 0
	}
	byTime := ramp(regular/total, idleTime, fairTime)
	bySession := ramp(float64(in)/float64(sessions), fewGaps, manyGaps)
	return min(max(byTime, bySession), ramp((regular+missed)/active, strayTime, busyTime))
}

// ramp rises from 0 at lo to 1 at hi.
func ramp(x, lo, hi float64) float64 { return min(1, max(0, (x-lo)/(hi-lo))) }

const (
	// fairTime: a beacon that sleeps through nights and suspends still explains a quarter of the time it was watched.
	// idleTime: what explains less than a twentieth says nothing about the flow.
	idleTime, fairTime = 0.05, 0.25
	// fewGaps and manyGaps: six gaps alike between two pauses are a request of seven sends, twelve are a rhythm wherever
	// they are.
	fewGaps, manyGaps = 6.0, 12.0
	// silence: a gap of more than thirty intervals is sleep, not traffic.
	silence = 30.0
	// strayTime and busyTime: while it is awake, a beacon explains half of its time even under loss; what explains less
	// than a quarter is a timer inside other traffic.
	strayTime, busyTime = 0.25, 0.50
	// standSlack and standSlackMost bound how far from a multiple of the interval a gap may be: wide bands around each
	// multiple would hold anything.
	standSlack, standSlackMost = 0.05, 0.12
)

// weigh gives the evidence of a pattern that is only partly, by weight, the habit of the flow; with no weight left, what a
// search in vain has cost.
func weigh(evidence, weight float64) float64 { return evidence*weight - (1-weight)*searchCost }

// strayShare of the gaps alike is what the timers of retries and timeouts leave behind; from fairShare on it is the habit
// of the flow.
const strayShare, fairShare = 0.15, 0.40

// habit weighs a band by the share of the gaps it holds.
func habit(share float64) float64 {
	return ramp(share, strayShare, fairShare)
}
