package beacon

import (
	"math"
	"time"
)

// Scorer scores flows one after the other. It owns scratch memory that it reuses, so it allocates nothing once warm and is
// not safe for concurrent use; scorers are cheap, take one per goroutine.
type Scorer struct {
	config   Config
	widths   *widths
	normal   *normalTable
	order    []int
	readings [6]reading
	sizes    []float64
	room     []float64
	marks    []bool
	peaks    []int32
}

// NewScorer returns a scorer, or one sentence on what is wrong with the configuration.
func NewScorer(c Config) (*Scorer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Scorer{config: c, widths: newWidths(), normal: newNormalTable()}, nil
}

// Result is the verdict on one flow. All fields are finite.
type Result struct {
	// Beats is how many beats the chosen reading has, Interval and Jitter their band: Interval·(1 ± Jitter). Gaps is how
	// many gaps were judged, Missed how many beats the longer gaps say were lost.
	Beats, Gaps, Missed int
	Interval            time.Duration
	Jitter              float64
	// TimingShare of the gaps lie in the band, TimingChance would by chance; TimingEvidence is the log-likelihood of the
	// one against the other in nats, search paid.
	TimingShare, TimingChance, TimingEvidence float64
	// SizeShare of the beats with bytes carry Size·(1 ± SizeSpread) bytes; SizeEvidence as for timing.
	Size, SizeSpread, SizeShare, SizeEvidence float64
	// Evidence is timing and size together, unsaturated: rank by it. Score is its calibrated probability at even odds, in
	// [0, 1]. Confidence, in [0, 1], says how much data and how good a clock stand behind them.
	Evidence, Score, Confidence float64
	// FailedShare of the sends were connection attempts that never succeeded.
	FailedShare float64
	// Insufficient: too few beats for this much jitter.
	Insufficient bool
	Codes        Codes
}

// Score judges f. Times may be unsorted and repeated: they are put in order, sends at one instant are one send, and only
// the newest 513 are read. f is not modified.
func (s *Scorer) Score(f Series) Result {
	raw, uncertainty, failed := s.load(f)
	res := Result{FailedShare: failed, Beats: len(raw.start)}
	if failed > 0 {
		res.Codes |= FailedConnections
	}
	if len(raw.start) < 3 {
		res.Insufficient = true
		res.Codes |= InsufficientBeats
		return res
	}
	raw.measure()
	s.rank(raw)
	raw.markLadders()
	if u := grid(raw.gaps); u > uncertainty {
		uncertainty = u
		res.Codes |= CoarseClock
	}
	found := s.rhythm(raw, uncertainty)
	sized := found.reading
	if found.kind == SizeGroup {
		sized = raw // the sizes of a group were picked to be alike
	}
	size := s.densestSize(sized.bytes, s.config.PayloadLengthVariance)
	s.fill(&res, found, size)
	return res
}

// rhythm is the most convincing account of the timing of a flow: one reading of it, the band of its gaps, and for the
// richer patterns what kind they are, their second period, and the time between their sends where that is not the interval.
type rhythm struct {
	band
	reading     *reading
	kind        Codes
	other, step float64
}

// rhythm reads the flow raw and merged and returns the rhythm with the most evidence. The richer patterns are looked for
// only where a single band leaves doubt: they pay more for their search and cannot change a clear case.
func (s *Scorer) rhythm(raw *reading, uncertainty float64) rhythm {
	best := rhythm{band: s.densestBand(raw, uncertainty), reading: raw}
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
		s.rank(r)
		b := s.densestBand(r, uncertainty)
		b.evidence -= readingCost
		if b.evidence > 0 {
			b.evidence = weigh(b.evidence, r.brief())
		}
		if b.evidence > best.evidence {
			best = rhythm{band: b, reading: r}
		}
	}
	if best.evidence >= plain {
		return best
	}
	if len(near.gaps) >= minPattern {
		best = best.better(s.twoBands(near, uncertainty))
		best = best.better(s.groups(raw, uncertainty))
		best = best.better(s.trend(near, uncertainty))
		best = best.better(s.cycle(near, uncertainty))
		best = best.better(s.echo(near, uncertainty))
	}
	return best
}

// better returns whichever rhythm has more evidence.
func (h rhythm) better(other rhythm) rhythm {
	if other.evidence > h.evidence {
		return other
	}
	return h
}

const (
	// plain is the evidence, in nats, that leaves no doubt.
	plain = 20.0
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
