package beacon

import (
	"testing"
)

// priceFlows are the flows prices are quoted on: 200 sends each, half of them beacons of every jitter, half random.
func priceFlows() []Series {
	r := source(9)
	var flows []Series
	for i := range 50 {
		flows = append(flows,
			renewal(200, jittered(r, 60, float64(i%10)/10), func(int) uint64 { return 150 + r.Uint64N(4) }),
			renewal(200, poisson(r, 60), constant(150)))
	}
	return flows
}

func BenchmarkScore(b *testing.B) {
	s, flows := newScorer(b), priceFlows()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Score(flows[i%len(flows)])
	}
}
