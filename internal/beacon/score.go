package beacon

import (
	"math"
	"time"
)

const (
	// sizeWeight: sizes are softer evidence than timing, because implants pad and much benign traffic is of one size.
	sizeWeight = 0.9
	// scoreMiddle is the evidence at which beacon and benign are equally likely at even odds, scoreScale how many nats
	// change the odds by e. Both fitted on the
	// tuned classes of internal/simulate and checked on those held out (test/corpus).
	scoreMiddle = 3.7
	scoreScale  = 1.6
)

// verdict fills res from the rhythm and the sizes found in f, on a clock of the given uncertainty in seconds.
func (s *Scorer) verdict(res *Result, f Series, found rhythm, size sizeBand, uncertainty float64) {
	r, b := found.reading, found.band
	res.Beats, res.Gaps, res.Missed = len(r.start), b.of, missed(r.gaps, b)
	told := b.told(r.sorted, uncertainty)
	res.Interval, res.Second, res.Jitter = duration(told.interval()), duration(found.other), told.jitter()
	res.TimingShare, res.TimingChance, res.TimingEvidence = told.share, told.chance, b.evidence
	res.Size, res.SizeSpread, res.SizeShare, res.SizeEvidence = size.bytes, size.spread, size.share, size.evidence
	res.Evidence = found.evidenceWith(size)
	res.Score = 1 / (1 + math.Exp(-(res.Evidence-scoreMiddle)/scoreScale))

	enough := SufficientBeats(b.jitter())
	res.Insufficient = res.Beats < max(s.config.MinBeats, enough)
	if res.Beats < s.config.MinBeats {
		res.Score = min(res.Score, belowThreshold*s.config.Threshold)
	}
	if least := s.config.RepeatFrequencyThreshold; least > 0 && r.perHour(f.Window.Seconds()) < least {
		res.Score = 0
		res.Codes |= BelowFrequency
	}
	res.Confidence = b.share * ramp(float64(res.Beats), 0, float64(2*enough))
	if interval := b.interval(); interval > 0 {
		res.Confidence *= 1 - min(1, uncertainty/interval)
	}

	res.Codes |= found.kind
	res.Codes |= RegularTiming.when(b.evidence > 0) | UniformSizes.when(size.evidence > 0) | MissedBeats.when(res.Missed > 0) |
		Drift.when(b.evidence > 0 && found.kind == 0 && r.drifts(b)) | InsufficientBeats.when(res.Insufficient) |
		AboveThreshold.when(res.Score >= s.config.Threshold)
}

// evidenceWith is the value of the timing with the evidence of the sizes where there is any rhythm for them to support.
func (h rhythm) evidenceWith(size sizeBand) float64 {
	timing := h.value()
	if timing <= 0 || h.kind == SizeGroup {
		return timing // its sizes were spent on picking it
	}
	return timing + sizeWeight*min(soften(soften(size.evidence)), timing)
}

// value is the evidence of the timing, softened and weighed by its pace.
func (h rhythm) value() float64 {
	timing := soften(h.evidence)
	if timing <= 0 {
		return timing
	}
	if h.step > 0 {
		// programs that answer each other are full of patterns, and the finer ones are worth nothing there
		timing *= chosen(h.step)
	} else {
		timing *= paced(h.interval())
	}
	return soften(timing) // once more, as a logarithm of a logarithm: see softFrom
}

// belowThreshold keeps the score of a flow with fewer than the least number of beats under the threshold, whatever the
// evidence.
const belowThreshold = 0.99

// duration converts seconds, bounded by what a Duration holds.
func duration(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0)*float64(time.Second), math.MaxInt64/2))
}

// SufficientBeats is how many beats a rhythm of this jitter needs before anything can tell it from chance.
func SufficientBeats(jitter float64) int {
	switch {
	case jitter <= 0.2:
		return 6
	case jitter <= 0.3:
		return 8
	case jitter <= 0.5:
		return 12
	}
	return 20
}

// perHour is the rate of beats over the seconds watched, or over the time they span if that is longer.
func (r *reading) perHour(window float64) float64 {
	return 3600 * float64(len(r.gaps)) / max(window, r.mean*float64(len(r.gaps)))
}

// softFrom is the evidence, in nats, up to which every nat counts in full. No benign program is so surely random that odds
// of e^8 need to be told from odds of e^100: beyond it a clock is ticking, and evidence grows with its logarithm so that
// flows still rank without ties and a long flow does not drown the evidence of its sizes. Beyond e^8 of that it grows with
// the logarithm again: how many beats there are says how long somebody watched, not what it was.
const softFrom = 8.0

// soften is the identity up to softFrom and continues it with the same slope, logarithmically.
func soften(e float64) float64 {
	if e <= softFrom {
		return e
	}
	return softFrom * (1 + math.Log(e/softFrom))
}
