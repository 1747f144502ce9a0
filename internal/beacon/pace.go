package beacon

const (
	// roundTrip is the time scale, in seconds, of programs that answer each other: below it the network and the far end set
	// the pace, not a timer somebody chose, and being regular means less.
	roundTrip = 2.0
	// leastPace is what a rhythm well below that scale is still worth: data leaves in chunks every 200 ms, too.
	leastPace = 0.18
)

// paced weighs a rhythm of the given interval against that scale.
func paced(interval float64) float64 { return leastPace + (1-leastPace)*chosen(interval) }

// chosen says how surely somebody chose the interval, steeply: at half the time scale it is down to a seventeenth.
func chosen(interval float64) float64 {
	x := interval / roundTrip
	x *= x
	x *= x
	return 1 - 1/(1+x)
}
