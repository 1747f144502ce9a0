package beacon

import "slices"

// Codes is a set of reasons, stable across runs and versions, for differential queries.
type Codes uint32

// The reasons. Their names in rows are those of ReasonCodes.
const (
	RegularTiming Codes = 1 << iota
	UniformSizes
	MissedBeats
	TwoPeriods
	PeriodChanged
	Drift
	Ramp
	Cycle
	CoarseClock
	FailedConnections
	InsufficientBeats
	BelowFrequency
	SizeGroup
	AboveThreshold
)

// codeNames is the documented vocabulary, in alphabetical order of the names.
var codeNames = [...]struct {
	code    Codes
	name    string
	meaning string
}{
	{AboveThreshold, "above_threshold", "the score reached the threshold"},
	{BelowFrequency, "below_frequency", "fewer beats per hour than repeat_frequency_threshold asks for"},
	{CoarseClock, "coarse_clock", "timing judged with the grid or uncertainty of its source"},
	{Cycle, "cycle", "a pattern of several gaps repeats"},
	{Drift, "drift", "the interval wanders slowly"},
	{FailedConnections, "failed_connections", "some attempts never succeeded"},
	{InsufficientBeats, "insufficient_beats", "too few beats for this much jitter"},
	{MissedBeats, "missed_beats", "gaps of two or three intervals counted"},
	{PeriodChanged, "period_changed", "one interval, then another"},
	{Ramp, "ramp", "the interval grows or shrinks steadily"},
	{RegularTiming, "regular_timing", "one band of gaps beats chance"},
	{SizeGroup, "size_group", "the rhythm is that of the sends of one size"},
	{TwoPeriods, "two_periods", "two rhythms interleaved"},
	{UniformSizes, "uniform_sizes", "one band of sizes beats chance"},
}

// CodeMeanings says what each name of ReasonCodes means, in a few words.
func CodeMeanings() map[string]string {
	all := make(map[string]string, len(codeNames))
	for _, c := range codeNames {
		all[c.name] = c.meaning
	}
	return all
}

// Has says whether all of the given codes are set.
func (c Codes) Has(of Codes) bool { return c&of == of }

// when returns c if is holds, else no code.
func (c Codes) when(is bool) Codes {
	if is {
		return c
	}
	return 0
}

// ReasonCodes returns the names of the result's codes, sorted.
func (r Result) ReasonCodes() []string {
	names := make([]string, 0, len(codeNames))
	for _, n := range codeNames {
		if r.Codes.Has(n.code) {
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names
}
