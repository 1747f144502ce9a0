package corpus

import (
	"cmp"
	"fmt"
	"io"

	"slices"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// uses are the kinds of classes that figures are given for, each by itself.
var uses = [...]simulate.Use{simulate.Tuned, simulate.HeldOut, simulate.Unseen}

// separation writes one row a scorer: how well it ranks implants above software without a timer, and how much software
// with a timer it lifts above its 1 % threshold.
func (j *judgement) separation(w io.Writer) error {
	for _, use := range uses {
		t := table(w, fmt.Sprintf("implants against software without a timer, %v classes, %d flows (TPR with 95 %% bounds)", use,
			len(j.samples(0, use))))
		fmt.Fprintln(t, "scorer\tAUC\tTPR at 1 %\tTPR at 0.1 %\ttimers over 1 %\t")
		for s, scorer := range j.scorers {
			samples := j.samples(s, use)
			fmt.Fprintf(t, "%s\t%.4f\t%v\t%v\t%.2f\t\n", scorer.Name, AUC(samples), Recall(samples, ThresholdAt(samples, 0.01)),
				Recall(samples, ThresholdAt(samples, 0.001)), j.timersOver(s, use))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	var top []float64
	for i, f := range j.flows {
		if f.Kind == simulate.Implant {
			top = append(top, j.scores[0][i])
		}
	}
	slices.SortFunc(top, func(a, b float64) int { return cmp.Compare(b, a) })
	top = top[:min(100, len(top))]
	_, err := fmt.Fprintf(w, "ties among the %d strongest implants: %d\n", len(top), len(top)-len(slices.Compact(slices.Clone(top))))
	return err
}

// timersOver returns the share of the periodic benign flows that score above the scorer's 1 % threshold.
func (j *judgement) timersOver(s int, use simulate.Use) float64 {
	threshold := ThresholdAt(j.samples(s, use), 0.01)
	over, of := 0, 0
	for i, f := range j.flows {
		if f.Kind == simulate.Periodic && f.Use == use {
			of++
			if j.scores[s][i] >= threshold {
				over++
			}
		}
	}
	return float64(over) / float64(of)
}

// classes writes the share of each class that the product reports at the shipped threshold, beside what each scorer
// reports at the threshold that costs it 1 % of the tuned benign flows.
func (j *judgement) classes(w io.Writer) error {
	thresholds := make([]float64, len(j.scorers))
	for s := range j.scorers {
		thresholds[s] = ThresholdAt(j.samples(s, simulate.Tuned), 0.01)
	}
	t := table(w, "share reported, class by class: at the shipped threshold, then at each scorer's 1 % threshold (* held out, ** unseen)")
	fmt.Fprint(t, "class\tkind\tshipped\t")
	for _, s := range j.scorers {
		fmt.Fprintf(t, "%s\t", s.Name)
	}
	fmt.Fprintln(t)
	for _, c := range simulate.Classes() {
		name := c.Name + [...]string{simulate.Tuned: "", simulate.HeldOut: " *", simulate.Unseen: " **"}[c.Use]
		of, shipped, counts := 0, 0, make([]int, len(j.scorers))
		for i, f := range j.flows {
			if f.Class != c.Name {
				continue
			}
			of++
			if j.verdicts[i].Score >= beacon.DefaultThreshold {
				shipped++
			}
			for s := range counts {
				if j.scores[s][i] >= thresholds[s] {
					counts[s]++
				}
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%.3f\t", name, c.Kind, float64(shipped)/float64(of))
		for _, n := range counts {
			fmt.Fprintf(t, "%.3f\t", float64(n)/float64(of))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// calibration writes how far the score can be taken as a probability at even odds, every class counting the same.
func (j *judgement) calibration(w io.Writer) error {
	for _, use := range uses {
		samples := Macro(j.pick(j.probabilities(), use))
		bars, ece := Reliability(samples, 10)
		t := table(w, fmt.Sprintf("calibration on %v classes at 1:1: expected error %.3f; at the shipped threshold recall %v, false alarms %v",
			use, ece, Recall(samples, beacon.DefaultThreshold), FalseAlarms(samples, beacon.DefaultThreshold)))
		fmt.Fprintln(t, "score\tmean\timplants\tof all\t")
		for _, b := range bars {
			if b.Weight > 0 {
				fmt.Fprintf(t, "%.1f-%.1f\t%.3f\t%.3f\t%.3f\t\n", b.Low, b.High, b.Score, b.Actual, b.Weight)
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
