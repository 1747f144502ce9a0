package corpus

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// priced returns the product's scorer and RITA written plainly, which the price is quoted against.
func priced(tb testing.TB) (ours, plain Scorer) {
	tb.Helper()
	ours, err := Beacon()
	require.NoError(tb, err)
	return ours, Scorer{Name: "RITA v5, plain", Score: func(f simulate.Flow) float64 { return ritaPlain(f).score }}
}

func TestScoringAllocatesNothingOnceWarm(t *testing.T) {
	ours, _ := priced(t)
	flows := PriceFlows(1)
	pass := func() {
		for _, f := range flows {
			ours.Score(f)
		}
	}
	pass()
	require.Zero(t, testing.AllocsPerRun(3, pass))
}

// mostExpensive is how many times RITA's price a flow of 200 sends may cost.
const mostExpensive = 2.0

func TestPriceAgainstRITA(t *testing.T) {
	ours, plain := priced(t)
	flows := PriceFlows(1)
	fastest := map[string]float64{ours.Name: math.Inf(1), plain.Name: math.Inf(1)}
	for range 15 { // interleaved, and the fastest round of each: a busy machine disturbs both
		for _, s := range []Scorer{ours, plain} {
			begun := time.Now()
			for _, f := range flows {
				s.Score(f)
			}
			fastest[s.Name] = min(fastest[s.Name], time.Since(begun).Seconds())
		}
	}
	require.Less(t, fastest[ours.Name], mostExpensive*fastest[plain.Name])
}

func BenchmarkFlowOf200Sends(b *testing.B) {
	ours, plain := priced(b)
	flows := PriceFlows(1)
	for _, s := range append([]Scorer{ours, plain}, Yardsticks()...) {
		b.Run(s.Name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Score(flows[i%len(flows)])
			}
		})
	}
}
