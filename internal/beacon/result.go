package beacon

import "time"

// Result is the verdict on one flow. All fields are finite; shares, chances, Score and Confidence are in [0, 1], evidence is
// in nats and may be negative.
type Result struct {
	// Beats is how many beats the chosen reading of the flow has, Gaps how many times between them were judged, Missed how
	// many beats the longer gaps say were lost.
	Beats, Gaps, Missed int
	// Interval·(1 ± Jitter) is the band of gaps that makes the rhythm, no wider than the gaps inside it, and without the few of
	// them that lie far from where nearly all do; for a ramp the gaps are first brought to their mean, for a cycle they are the
	// times between a send and the one a cycle later, for two timers of one interval those between a send and the next but one.
	// Second is the other period of TwoPeriods or PeriodChanged where it is known, else 0.
	Interval, Second time.Duration
	Jitter           float64
	// TimingShare of the gaps lie in the band, TimingChance is the most that traffic without a rhythm would have in one so wide.
	// TimingEvidence is the log-likelihood of the one against the other, at most 1.4 a gap, the price of the search paid and
	// what stands for only part of the flow weighed down; negative where chance explains the gaps better.
	TimingShare, TimingChance, TimingEvidence float64
	// SizeShare of the beats with bytes carry Size·(1 ± SizeSpread) bytes; SizeEvidence as for timing, 0 or more. All 0 if
	// fewer than four beats have bytes or no size stands out.
	Size, SizeSpread, SizeShare, SizeEvidence float64
	// Evidence is timing and size together, unsaturated: rank by it. Score is the probability of a beacon at even odds that
	// it stands for, calibrated on generated traffic; 0 below Config.RepeatFrequencyThreshold, and below Config.Threshold
	// with fewer than Config.MinBeats beats. Confidence says how much data and how good a clock stand behind the band.
	Evidence, Score, Confidence float64
	// FailedShare of the sends were connection attempts that never succeeded. Attempts that follow one another as retries do
	// count as one beat.
	FailedShare float64
	// Insufficient: fewer beats than MinBeats, or than this much jitter needs (6 to ±20 %, 8 to ±30 %, 12 to ±50 %, 20).
	Insufficient bool
	Codes        Codes
}
