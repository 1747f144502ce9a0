package beacon

// A retry waits twice as long as the one before, give or take its jitter and the time the attempt took. Two such steps in
// a row, three pauses, are rare by chance and the signature of exponential back-off.
const (
	doubleLow, doubleHigh = 1.6, 2.5
	ladderSteps           = 2
)

// markLadders notes which sends belong to a run of doubling pauses. Such a run is one attempt at something, so merged
// readings make one beat of it; otherwise its rungs, the same at every failure, would pass for a rhythm.
func (r *reading) markLadders() {
	r.ladder = append(r.ladder[:0], false)
	steps := 0
	for i := range r.gaps {
		r.ladder = append(r.ladder, false)
		if i > 0 && r.gaps[i] >= doubleLow*r.gaps[i-1] && r.gaps[i] <= doubleHigh*r.gaps[i-1] {
			steps++
		} else {
			steps = 0
		}
		switch {
		case steps == ladderSteps:
			for j := i - ladderSteps; j <= i; j++ {
				r.ladder[j+1] = true
			}
		case steps > ladderSteps:
			r.ladder[i+1] = true
		}
	}
}
