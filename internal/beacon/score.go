package beacon

import (
	"math"
	"time"
)

const (
	// sizeWeight: sizes are softer evidence than timing, because implants pad and much benign traffic is of one size.
	sizeWeight = 0.9
	// scoreMiddle is the evidence at which beacon and benign are equally likely at even odds, scoreScale how many nats
	// change the odds by e. Both fitted on generated traffic; see the calibration test.
	scoreMiddle = 3.5
	scoreScale  = 1.6
)

func (s *Scorer) fill(res *Result, found rhythm, size sizeBand) {
	r, b := found.reading, found.band
	res.Beats, res.Gaps, res.Missed = len(r.start), b.of, missed(r.gaps, b)
	res.Interval = time.Duration(min(b.interval()*float64(time.Second), math.MaxInt64/2))
	res.Jitter = b.jitter()
	res.TimingShare, res.TimingChance, res.TimingEvidence = b.share, b.chance, b.evidence
	res.Size, res.SizeSpread, res.SizeShare, res.SizeEvidence = size.bytes, size.spread, size.share, size.evidence
	timing := soften(b.evidence)
	if timing > 0 {
		step := found.step
		if step == 0 {
			step = b.interval()
		}
		timing *= paced(step)
		timing += sizeWeight * min(soften(size.evidence), timing)
	}
	res.Evidence = timing
	res.Codes |= found.kind
	res.Score = 1 / (1 + math.Exp(-(res.Evidence-scoreMiddle)/scoreScale))
	if res.Beats < max(s.config.MinBeats, sufficientBeats(res.Jitter)) {
		res.Insufficient = true
		res.Codes |= InsufficientBeats
	}
	if b.evidence > 0 {
		res.Codes |= RegularTiming
	}
	if size.evidence > 0 {
		res.Codes |= UniformSizes
	}
	if res.Missed > 0 {
		res.Codes |= MissedBeats
	}
	if least := s.config.RepeatFrequencyThreshold; least > 0 && r.perHour() < least {
		res.Score = 0
		res.Codes |= BelowFrequency
	}
	if res.Score >= s.config.Threshold {
		res.Codes |= AboveThreshold
	}
	res.Confidence = min(1, float64(res.Beats)/float64(2*sufficientBeats(res.Jitter))) * b.share
}

// sufficientBeats is how many beats a rhythm of this jitter needs before anything can tell it from chance.
func sufficientBeats(jitter float64) int {
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

// perHour is the rate of beats over the time they span.
func (r *reading) perHour() float64 {
	if r.mean <= 0 {
		return 0
	}
	return 3600 / r.mean
}

// softFrom is the evidence, in nats, up to which every nat counts in full. No benign program is so surely random that odds of
// e^8 need to be told from odds of e^100: beyond it a clock is ticking, and evidence grows with its logarithm so that
// flows still rank without ties and a long flow does not drown the evidence of its sizes.
const softFrom = 8.0

// soften is the identity up to softFrom and continues it with the same slope, logarithmically.
func soften(e float64) float64 {
	if e <= softFrom {
		return e
	}
	return softFrom * (1 + math.Log(e/softFrom))
}
