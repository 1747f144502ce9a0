// Package corpus judges beacon scoring on labelled flows: those of internal/simulate and, where they lie beside the
// project, real ones. It holds our own implementations of published scorers, written from their descriptions, so that
// every figure has its yardstick in the same run. It is test code: nothing in the product imports it.
package corpus

import (
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Scorer gives a flow a number that ranks it: the higher, the more it looks like a beacon. The number is finite. A Scorer
// may keep scratch memory between calls and is not safe for concurrent use.
type Scorer struct {
	Name  string
	Score func(simulate.Flow) float64
}

// Yardsticks returns new instances of the published scorers but for the dear ones.
func Yardsticks() []Scorer {
	return []Scorer{
		{Name: "RITA v5", Score: new(rita).score},
		{Name: "CV of gaps", Score: new(variation).gapsOnly},
		{Name: "CV gaps+sizes", Score: new(variation).gapsAndSizes},
		{Name: "FLARE", Score: new(flare).score},
		{Name: "Elastic", Score: new(elastic).score},
		{Name: "Slips-like", Score: newSlips().score},
	}
}

// Dear returns new instances of the scorers that cost too much to judge every flow by.
func Dear() []Scorer {
	return []Scorer{{Name: "BAYWATCH-like", Score: new(baywatch).score}}
}

// middle returns the median of sorted numbers, 0 without any.
func middle(sorted []float64) float64 {
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
