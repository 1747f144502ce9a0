package corpus

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// PriceFlows returns the flows that prices are quoted on: 200 sends each, half implants of several jitters, half random.
func PriceFlows(seed uint64) []simulate.Flow {
	var flows []simulate.Flow
	for i := range 50 {
		flows = append(flows, simulate.Exact(seed, 200, float64(i%10)/10, i), simulate.Poisson(seed, 200, i))
	}
	return flows
}

// price writes what one flow of 200 sends costs each scorer, the rounds of all scorers interleaved so that a busy machine
// is busy for all of them.
func (j *judgement) price(w io.Writer) error {
	const rounds = 9
	flows := PriceFlows(j.seed)
	scorers := append(slices.Concat(j.scorers, Dear()), Scorer{
		Name: "RITA v5, plain", Score: func(f simulate.Flow) float64 { return ritaPlain(f).score },
	})
	spent := make([][]float64, len(scorers))
	for range rounds {
		for s, scorer := range scorers {
			begun := time.Now()
			for _, f := range flows {
				scorer.Score(f)
			}
			spent[s] = append(spent[s], float64(time.Since(begun).Nanoseconds())/1e3/float64(len(flows)))
		}
	}
	t := table(w, "price of a flow of 200 sends (median of interleaved rounds)")
	fmt.Fprintln(t, "scorer\tµs\tof our RITA\tof RITA, plain\t")
	for _, s := range spent {
		slices.Sort(s)
	}
	for s, scorer := range scorers {
		fmt.Fprintf(t, "%s\t%.1f\t%.2f\t%.2f\t\n", scorer.Name, middle(spent[s]), middle(spent[s])/middle(spent[1]),
			middle(spent[s])/middle(spent[len(spent)-1]))
	}
	return t.Flush()
}
