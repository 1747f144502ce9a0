package beacon

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReason(t *testing.T) {
	tests := []struct {
		name   string
		result Result
		want   string
	}{
		{"timing and sizes", Result{Beats: 213, Gaps: 212, Interval: time.Minute, Jitter: .2, TimingShare: .94, TimingChance: .31,
			TimingEvidence: 90, Size: 151, SizeSpread: .02, SizeShare: .97, SizeEvidence: 200},
			"94 % of 212 gaps within ±20 % of 60 s, 31 % by chance; 97 % of payloads 151 ± 3 bytes"},
		{"exact", Result{Beats: 11, Gaps: 10, Interval: 24 * time.Hour, Jitter: .004, TimingShare: 1, TimingChance: .02,
			TimingEvidence: 20, Missed: 1},
			"100 % of 10 gaps within ±0.4 % of 24 h, 2 % by chance; 1 beat missed"},
		{"two periods", Result{Beats: 50, Gaps: 49, Interval: 200 * time.Millisecond, TimingShare: .5, TimingChance: .01,
			TimingEvidence: 20, Second: 5 * time.Second, Codes: TwoPeriods},
			"50 % of 49 gaps within ±0 % of 200 ms, 1 % by chance; a second period of 5 s"},
		{"no rhythm", Result{Beats: 30, Gaps: 29, TimingEvidence: -4}, "no rhythm in 29 gaps"},
		{"too few", Result{Beats: 2, Insufficient: true}, "too few beats to judge (2)"},
		{"insufficient", Result{Beats: 5, Gaps: 4, Insufficient: true}, "no rhythm in 4 gaps; 5 beats are too few"},
		{"dead server", Result{Beats: 1, Insufficient: true, FailedShare: 1}, "too few beats to judge (1); 100 % of attempts failed"},
		{"days", Result{Beats: 9, Gaps: 8, Interval: 72 * time.Hour, TimingShare: 1, TimingChance: .1, TimingEvidence: 9},
			"100 % of 8 gaps within ±0 % of 3 days, 10 % by chance"},
		{"minutes", Result{Beats: 9, Gaps: 8, Interval: 30 * time.Minute, TimingShare: 1, TimingChance: .1, TimingEvidence: 9,
			Codes: CoarseClock}, "100 % of 8 gaps within ±0 % of 30 min, 10 % by chance; clock too coarse for more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, tt.result.Reason()) })
	}
}

func TestReasonCodesAreTheSortedVocabulary(t *testing.T) {
	all := Result{Codes: ^Codes(0)}.ReasonCodes()
	require.True(t, slices.IsSorted(all))
	require.Len(t, slices.Compact(slices.Clone(all)), len(codeNames))
	require.Empty(t, Result{}.ReasonCodes())
	require.Equal(t, []string{"ramp", "uniform_sizes"}, Result{Codes: UniformSizes | Ramp}.ReasonCodes())
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"payload length variance must be at least 0 and below 1":                          {PayloadLengthVariance: 1},
		"repeat frequency threshold must be a finite number of beats per hour, 0 or more": {RepeatFrequencyThreshold: -1},
		"minimum beats must be 0 (default) or at least 3":                                 {MinBeats: 2},
		"threshold must be between 0 and 1":                                               {Threshold: 1.5},
	} {
		_, err := NewScorer(c)
		require.EqualError(t, err, name)
	}
	flow := renewal(30, exactly(600), constant(151))
	score := func(c Config) Result {
		s, err := NewScorer(c)
		require.NoError(t, err)
		return s.Score(flow)
	}
	plain := score(Config{})
	require.GreaterOrEqual(t, plain.Score, DefaultThreshold)

	slow := score(Config{RepeatFrequencyThreshold: 7}) // the flow has six beats an hour
	require.Zero(t, slow.Score)
	require.Equal(t, plain.Evidence, slow.Evidence)
	require.Contains(t, slow.ReasonCodes(), "below_frequency")
	require.Equal(t, plain, score(Config{RepeatFrequencyThreshold: 5}))

	flow.Window = 20 * time.Hour
	require.Zero(t, score(Config{RepeatFrequencyThreshold: 5}).Score, "thirty beats in twenty hours")

	more := score(Config{MinBeats: 40})
	require.True(t, more.Insufficient)
	require.Less(t, more.Score, DefaultThreshold)

	require.NotContains(t, score(Config{Threshold: 1}).ReasonCodes(), "above_threshold")
}

func TestPayloadLengthVarianceIsTheWidestSizeBand(t *testing.T) {
	r := source(30)
	flow := renewal(60, exactly(60), func(int) uint64 { return 1000 + r.Uint64N(300) }) // ±13 %
	strict, err := NewScorer(Config{PayloadLengthVariance: .02})
	require.NoError(t, err)
	soft, err := NewScorer(Config{PayloadLengthVariance: .2})
	require.NoError(t, err)
	require.Less(t, strict.Score(flow).SizeShare, .5)
	require.Equal(t, 1.0, soft.Score(flow).SizeShare)
	require.LessOrEqual(t, strict.Score(flow).SizeSpread, .02)
}
