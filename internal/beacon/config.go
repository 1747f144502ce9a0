package beacon

import (
	"errors"
	"math"
)

// Config holds the parameters of scoring, under the names ATT&CK gives the mutable elements of AN0597 where it has one.
// The zero value means the defaults.
type Config struct {
	// PayloadLengthVariance is the relative half-width of a band of payload sizes that still counts as one size, in
	// (0, 1); 0 means DefaultPayloadLengthVariance.
	PayloadLengthVariance float64
	// RepeatFrequencyThreshold is the least number of beats per hour, over the window watched, that counts as repetition; a
	// slower flow keeps its evidence but scores 0. 0 is off.
	RepeatFrequencyThreshold float64
	// MinBeats is the least number of beats for a sufficient result, at least 3; 0 means DefaultMinBeats. With fewer the
	// score stays below Threshold. More jitter needs more beats than this whatever it says.
	MinBeats int
	// Threshold is the score from which a result carries the code above_threshold, in (0, 1]; 0 means DefaultThreshold.
	Threshold float64
}

const (
	// DefaultPayloadLengthVariance: ATT&CK suggests ±5 %. Measured, ±5 % to ±25 % rank generated and real flows alike (AUC
	// within .001), because narrower bands inside are tried too; ±10 % leaves room for counters and short padding.
	DefaultPayloadLengthVariance = 0.10
	// DefaultMinBeats: with five beats even a perfect rhythm is within reach of chance (see SufficientBeats).
	DefaultMinBeats = 6
	// DefaultThreshold is the shipped alert threshold on Result.Score.
	DefaultThreshold = 0.5
)

// withDefaults returns c with zeros replaced, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	switch {
	case !(c.PayloadLengthVariance >= 0 && c.PayloadLengthVariance < 1):
		return c, errors.New("payload length variance must be at least 0 and below 1")
	case !(c.RepeatFrequencyThreshold >= 0 && !math.IsInf(c.RepeatFrequencyThreshold, 1)):
		return c, errors.New("repeat frequency threshold must be a finite number of beats per hour, 0 or more")
	case c.MinBeats < 0 || c.MinBeats == 1 || c.MinBeats == 2:
		return c, errors.New("minimum beats must be 0 (default) or at least 3")
	case !(c.Threshold >= 0 && c.Threshold <= 1):
		return c, errors.New("threshold must be between 0 and 1")
	}
	if c.PayloadLengthVariance == 0 {
		c.PayloadLengthVariance = DefaultPayloadLengthVariance
	}
	if c.MinBeats == 0 {
		c.MinBeats = DefaultMinBeats
	}
	if c.Threshold == 0 {
		c.Threshold = DefaultThreshold
	}
	return c, nil
}
