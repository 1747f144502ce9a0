package corpus

import (
	"fmt"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Series returns the flow as the scorer of the product takes it. The slices are shared.
func Series(f simulate.Flow) beacon.Series {
	return beacon.Series{At: f.At, Bytes: f.Bytes, Resolution: f.Resolution, Window: f.Window}
}

// Beacon returns the scorer of the product as a yardstick among others: it ranks by evidence, which does not saturate.
func Beacon() (Scorer, error) {
	s, err := beacon.NewScorer(beacon.Config{})
	if err != nil {
		return Scorer{}, fmt.Errorf("corpus: %w", err)
	}
	return Scorer{Name: "beacon", Score: func(f simulate.Flow) float64 { return s.Score(Series(f)).Evidence }}, nil
}

// Verdicts scores flows one after the other with the shipped configuration.
func Verdicts(flows []simulate.Flow) ([]beacon.Result, error) {
	s, err := beacon.NewScorer(beacon.Config{})
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	results := make([]beacon.Result, len(flows))
	for i, f := range flows {
		results[i] = s.Score(Series(f))
	}
	return results, nil
}
