package beacon

import "math"

// blur is how far, in natural logarithms of a gap, the flow's own gaps are smeared to say what chance would have done with
// them. About 1.3 is the spread of random (exponential) gaps, so a smear of 1 makes a rhythm look random and leaves random
// traffic nearly as it is.
const blur = 1.0

// chanceSample bounds how many gaps stand for the whole distribution: 32 quantiles of a curve smeared by 1 are
// indistinguishable from all of them, at a fraction of the price.
const chanceSample = 32

// normalTable is the normal distribution function on [-normalReach, normalReach], for linear interpolation.
type normalTable [2*normalReach*normalSteps + 2]float64

// A step of 1/32 keeps the interpolation error under 4e-5; outside ±4 the tail is under 4e-5 too.
const (
	normalReach = 4
	normalSteps = 32
)

func newNormalTable() *normalTable {
	var t normalTable
	for i := range t {
		t[i] = 0.5 * math.Erfc(-(float64(i)/normalSteps-normalReach)/math.Sqrt2)
	}
	return &t
}

// at returns the normal distribution function at x.
func (t *normalTable) at(x float64) float64 {
	x = (x + normalReach) * normalSteps
	if x <= 0 {
		return 0
	}
	if x >= float64(len(t)-1) {
		return 1
	}
	i := int(x)
	return t[i] + (x-float64(i))*(t[i+1]-t[i])
}

// blurred returns the share of the smeared distribution of sorted logarithms that falls in [lo, hi].
func (t *normalTable) blurred(sorted []float64, lo, hi, sigma float64) float64 {
	n := len(sorted)
	m := min(n, chanceSample)
	step := float64(n) / float64(m)
	sum := 0.0
	for i := range m {
		y := sorted[int((float64(i)+0.5)*step)]
		sum += t.at((hi-y)/sigma) - t.at((lo-y)/sigma)
	}
	return sum / float64(m)
}

// poissonChance returns the largest share of exponential gaps, whatever their rate, that a band from a to r·a can hold:
// the maximum over a of e^(−a) − e^(−ra), reached at a = ln r / (r−1). A steady random sender cannot do better than this
// at any rate. The ratio r is at least 1.
func poissonChance(r float64) float64 {
	if r <= 1+1e-9 {
		return 0
	}
	a := math.Log(r) / (r - 1)
	return math.Exp(-a) - math.Exp(-r*a)
}

// divergence is the Kullback–Leibler divergence of a coin that shows p from one that should show q, in nats per throw; 0
// where p does not exceed q. Both are shares; q is kept inside (0, 1).
func divergence(p, q float64) float64 {
	if p <= q {
		return 0
	}
	q = min(max(q, 1e-9), 1-1e-9)
	d := p * math.Log(p/q)
	if p < 1 {
		d += (1 - p) * math.Log((1-p)/(1-q))
	}
	return d
}

// worth is what n beats bring that each diverge from chance by so many nats, of which mostBeat count. Beats that bring
// less than the margin count against a rhythm, but however many they are they prove no more than that the flow is
// ordinary. After the first beats the margin is lateMargin: those that bring less add nothing.
func worth(n, nats float64) float64 {
	nats = min(nats, mostBeat)
	w := n * (nats - margin)
	switch {
	case w < 0:
		w *= min(1, ordinary/(n*margin))
	case n > firstBeats:
		w = firstBeats*(nats-margin) + (n-firstBeats)*max(0, nats-lateMargin)
	}
	return w
}

const (
	// margin is what every beat must bring before it counts, in nats: a share only just above chance does not become
	// proof by sheer number, because real random traffic is never exactly the null. Gaps spread log-normally by 0.8, which
	// no timer makes, are worth 0.05.
	margin = 0.03
	// lateMargin is that of the beats after the first firstBeats. With few beats the Wilson bound is the greater caution; with
	// many only the margin is left of it, and what was not clear by then does not become so by going on.
	lateMargin, firstBeats = 0.04, 100.0
	// mostBeat is the most that one beat brings, in nats: a band that holds all where chance puts a quarter. What is tighter
	// shows a more exact timer, and the most exact timers are not those of implants; what tells is how long it goes on.
	mostBeat = 1.4
	// ordinary is the most that can count against a rhythm, in nats.
	ordinary = 3.0
)

// wilsonLower is the lower end of the Wilson interval for k hits in n throws at z standard deviations (Wilson, 1927).
func wilsonLower(k, n, z float64) float64 {
	p, zz := k/n, z*z
	return max(0, (p+zz/(2*n)-z*math.Sqrt(p*(1-p)/n+zz/(4*n*n)))/(1+zz/n))
}

// poisson is the share of exponential gaps of the reading's mean between two logarithms, above the merging limit.
func (r *reading) poisson(lo, hi float64) float64 {
	mean := max(r.mean-r.limit, 1e-9)
	return math.Exp(-max(0, math.Exp(lo)-r.limit)/mean) - math.Exp(-max(0, math.Exp(hi)-r.limit)/mean)
}
