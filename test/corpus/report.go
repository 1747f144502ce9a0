package corpus

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Options says what a report covers. Flows is a directory of real flows; empty leaves them out.
type Options struct {
	Seed     uint64
	PerClass int
	Flows    string
}

// Report writes the whole comparison as text, section by section as each is ready.
func Report(w io.Writer, o Options) error {
	j, err := judge(o.Seed, o.PerClass)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "seed %d, %d flows a class, shipped threshold %.2f\n", o.Seed, o.PerClass, beacon.DefaultThreshold)
	few, err := judge(o.Seed, min(o.PerClass, dearPerClass), Dear()...)
	if err != nil {
		return err
	}
	for _, section := range []func(io.Writer) error{j.separation, few.separation, j.calibration, j.short, j.random, j.classes, j.price} {
		if err := section(w); err != nil {
			return err
		}
	}
	var real []RealFlow
	if o.Flows != "" {
		if real, err = RealFlows(o.Flows); err != nil {
			return err
		}
	}
	unicast := slices.DeleteFunc(slices.Clone(real), func(f RealFlow) bool { return !f.Unicast })
	if err := few.mutable(w, unicast); err != nil || len(real) == 0 {
		return err
	}
	return j.real(w, real, unicast)
}

// judgement is the generated corpus with what every scorer says about it: scores[s][i] is what scorers[s] gives flows[i],
// the product first.
type judgement struct {
	seed     uint64
	scorers  []Scorer
	flows    []simulate.Flow
	scores   [][]float64
	verdicts []beacon.Result
}

// dearPerClass is how many flows of each class are judged by the dear scorers too.
const dearPerClass = 20

// judge draws n flows of every class and lets every scorer have its say, the dear ones given last.
func judge(seed uint64, n int, dear ...Scorer) (*judgement, error) {
	ours, err := Beacon()
	if err != nil {
		return nil, err
	}
	j := &judgement{
		seed:    seed,
		scorers: slices.Concat([]Scorer{ours}, Yardsticks(), dear),
		flows:   slices.Collect(simulate.Flows(seed, n)),
	}
	if j.verdicts, err = Verdicts(j.flows); err != nil {
		return nil, err
	}
	evidence := make([]float64, len(j.flows))
	for i, v := range j.verdicts {
		evidence[i] = v.Evidence
	}
	j.scores = [][]float64{evidence}
	for _, s := range j.scorers[1:] {
		scores := make([]float64, len(j.flows))
		for i, f := range j.flows {
			scores[i] = s.Score(f)
		}
		j.scores = append(j.scores, scores)
	}
	return j, nil
}

// samples returns scorer s on the implants and on the benign software without a timer of that use.
func (j *judgement) samples(s int, use simulate.Use) []Sample {
	return j.pick(j.scores[s], use)
}

func (j *judgement) pick(scores []float64, use simulate.Use) []Sample {
	var samples []Sample
	for i, f := range j.flows {
		if f.Kind != simulate.Periodic && f.Use == use {
			samples = append(samples, Sample{Class: f.Class, Positive: f.Kind == simulate.Implant, Score: scores[i], Weight: 1})
		}
	}
	return samples
}

// probabilities returns the calibrated scores of the product, in the order of the flows.
func (j *judgement) probabilities() []float64 {
	scores := make([]float64, len(j.verdicts))
	for i, v := range j.verdicts {
		scores[i] = v.Score
	}
	return scores
}

// table returns a writer that lines up columns separated by tabs; flush it.
func table(w io.Writer, title string) *tabwriter.Writer {
	fmt.Fprintf(w, "\n%s\n", title)
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// figure renders a number that may not exist.
func figure(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.3f", x)
}

// String renders a rate with its confidence bounds.
func (r Rate) String() string {
	if r.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.3f %.3f]", r.Share, r.Low, r.High)
}
