package corpus

import (
	"fmt"
	"io"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// shortCell is how many flows stand behind one cell of the table of short flows.
const shortCell = 500

// short writes how many sends a scorer needs: exactly n, none missed, against the first n sends of the tuned benign
// flows, TPR at 1 % FPR.
func (j *judgement) short(w io.Writer) error {
	for s, scorer := range j.scorers[:2] {
		t := table(w, "exactly n sends, none missed, TPR at 1 % FPR against benign flows of n sends: "+scorer.Name)
		fmt.Fprintln(t, "n\tjitter ≤ 20 %\t30 %\t50 %\t70 %\t90 %\t")
		for _, n := range []int{6, 8, 10, 15, 20, 30, 50, 100} {
			threshold := ThresholdAt(j.heads(s, n), 0.01)
			fmt.Fprintf(t, "%d\t", n)
			for _, jitters := range [][]float64{{0, 0.05, 0.1, 0.15, 0.2}, {0.3}, {0.5}, {0.7}, {0.9}} {
				hits := 0
				for i := range shortCell {
					f := simulate.Exact(j.seed, n, jitters[i%len(jitters)], i)
					if scorer.Score(f) >= threshold {
						hits++
					}
				}
				fmt.Fprintf(t, "%v\t", NewRate(hits, shortCell))
			}
			fmt.Fprintln(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// heads returns scorer s on the first n sends of every tuned flow without a timer that has as many.
func (j *judgement) heads(s, n int) []Sample {
	var samples []Sample
	for _, f := range j.flows {
		if f.Kind == simulate.Aperiodic && f.Use == simulate.Tuned && len(f.At) >= n {
			samples = append(samples, Sample{Class: f.Class, Score: j.scorers[s].Score(f.Head(n)), Weight: 1})
		}
	}
	return samples
}

// random writes how often steady random senders of constant size are reported at the shipped threshold.
func (j *judgement) random(w io.Writer) error {
	const each = 1000
	t := table(w, "Poisson senders of constant size reported at the shipped threshold")
	fmt.Fprintln(t, "n\treported\t")
	hits, of := 0, 0
	for _, n := range []int{6, 10, 20, 50, 200, 1000} {
		fired, err := PoissonAlarms(j.seed, n, each)
		if err != nil {
			return err
		}
		hits, of = hits+fired, of+each
		fmt.Fprintf(t, "%d\t%v\t\n", n, NewRate(fired, each))
	}
	fmt.Fprintf(t, "all\t%v\t\n", NewRate(hits, of))
	return t.Flush()
}

// PoissonAlarms returns how many of so many random senders of n sends each reach the shipped threshold.
func PoissonAlarms(seed uint64, n, flows int) (int, error) {
	s, err := beacon.NewScorer(beacon.Config{})
	if err != nil {
		return 0, fmt.Errorf("corpus: %w", err)
	}
	fired := 0
	for i := range flows {
		if s.Score(Series(simulate.Poisson(seed, n, i))).Score >= beacon.DefaultThreshold {
			fired++
		}
	}
	return fired, nil
}
