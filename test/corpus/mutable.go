package corpus

import (
	"fmt"
	"io"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// variances are the values tried for ATT&CK's mutable element PayloadLengthVariance; MITRE suggests ±5 %.
var variances = []float64{0.01, 0.05, 0.10, 0.15, 0.25, 0.50}

// mutable writes what each of variances does to the ranking of generated and of real unicast flows: the measurement behind
// beacon.DefaultPayloadLengthVariance.
func (j *judgement) mutable(w io.Writer, real []RealFlow) error {
	t := table(w, fmt.Sprintf("payload length variance (shipped: ±%.0f %%)", 100*beacon.DefaultPayloadLengthVariance))
	fmt.Fprintln(t, "±\ttuned: AUC\tTPR at 1 %\theld out: AUC\tTPR at 1 %\treal unicast: AUC\tby class\t")
	for _, variance := range variances {
		s, err := beacon.NewScorer(beacon.Config{PayloadLengthVariance: variance})
		if err != nil {
			return fmt.Errorf("corpus: %w", err)
		}
		scorer := Scorer{Score: func(f simulate.Flow) float64 { return s.Score(Series(f)).Evidence }}
		scores := make([]float64, len(j.flows))
		for i, f := range j.flows {
			scores[i] = scorer.Score(f)
		}
		fmt.Fprintf(t, "%.0f %%", 100*variance)
		for _, use := range []simulate.Use{simulate.Tuned, simulate.HeldOut} {
			samples := j.pick(scores, use)
			fmt.Fprintf(t, "\t%.4f\t%.3f", AUC(samples), Recall(samples, ThresholdAt(samples, 0.01)).Share)
		}
		samples := scored(scorer, real)
		fmt.Fprintf(t, "\t%s\t%s\t\n", figure(AUC(samples)), figure(AUC(Macro(samples))))
	}
	return t.Flush()
}
