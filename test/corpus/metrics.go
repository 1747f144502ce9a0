package corpus

import (
	"cmp"
	"math"
	"slices"
)

// Sample is one scored flow. Weight counts how much it matters in an average (1 for a plain one; 1 over the size of its
// class for a macro-average).
type Sample struct {
	Class    string
	Positive bool
	Score    float64
	Weight   float64
}

// AUC returns the area under the ROC curve, in [0, 1]: the probability that a positive outranks a negative, a tie
// counting half (Mann and Whitney's U), every sample by its weight. It is NaN without positives or without negatives.
func AUC(samples []Sample) float64 {
	sorted := slices.Clone(samples)
	slices.SortFunc(sorted, func(a, b Sample) int { return cmp.Compare(a.Score, b.Score) })
	var area, below, positives float64
	for i := 0; i < len(sorted); {
		var p, n float64
		j := i
		for ; j < len(sorted) && sorted[j].Score == sorted[i].Score; j++ {
			if sorted[j].Positive {
				p += sorted[j].Weight
			} else {
				n += sorted[j].Weight
			}
		}
		area += p * (below + n/2)
		below += n
		positives += p
		i = j
	}
	return area / (below * positives)
}

// Rate is a share of a number of trials with its 95 % confidence bounds.
type Rate struct {
	Hits, Of  int
	Share     float64
	Low, High float64
}

// NewRate returns hits of trials with Wilson's score interval (Wilson 1927), which stays inside [0, 1] and is honest near
// its ends. Without trials the share is NaN and the bounds are 0 and 1.
func NewRate(hits, of int) Rate {
	if of == 0 {
		return Rate{Share: math.NaN(), High: 1}
	}
	const z = 1.959964
	n := float64(of)
	p := float64(hits) / n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Rate{Hits: hits, Of: of, Share: p, Low: max(0, centre-half), High: min(1, centre+half)}
}

// ThresholdAt returns the lowest threshold at which at most the share fpr of the negatives score at least it: with ties
// it errs to the strict side. +Inf if no finite threshold does.
func ThresholdAt(samples []Sample, fpr float64) float64 {
	var scores []float64
	for _, s := range samples {
		if !s.Positive {
			scores = append(scores, s.Score)
		}
	}
	slices.Sort(scores)
	allowed := int(fpr*float64(len(scores)) + 1e-9)
	if allowed >= len(scores) {
		return math.Inf(-1)
	}
	// the strongest negative that must not fire: fire strictly above it
	return math.Nextafter(scores[len(scores)-1-allowed], math.Inf(1))
}

// Recall returns the rate of positives that score at least the threshold.
func Recall(samples []Sample, threshold float64) Rate { return fired(samples, true, threshold) }

// FalseAlarms returns the rate of negatives that score at least the threshold.
func FalseAlarms(samples []Sample, threshold float64) Rate { return fired(samples, false, threshold) }

func fired(samples []Sample, positive bool, threshold float64) Rate {
	hits, of := 0, 0
	for _, s := range samples {
		if s.Positive == positive {
			of++
			if s.Score >= threshold {
				hits++
			}
		}
	}
	return NewRate(hits, of)
}

// Macro returns the samples with weights that make every class count the same, separately for positives and negatives.
func Macro(samples []Sample) []Sample {
	type key struct {
		class    string
		positive bool
	}
	sizes := map[key]float64{}
	for _, s := range samples {
		sizes[key{s.Class, s.Positive}]++
	}
	weighted := slices.Clone(samples)
	for i, s := range weighted {
		weighted[i].Weight = 1 / sizes[key{s.Class, s.Positive}]
	}
	return weighted
}

// Bin is one bar of a reliability diagram: flows whose score lies in [Low, High), what they scored on average and which
// share of them were positive, both at even odds. Weight is the bin's share of all flows.
type Bin struct {
	Low, High     float64
	Score, Actual float64
	Weight        float64
}

// Reliability compares scores, taken as probabilities at even odds, with what was true, in bins equal-width bars. Positives
// and negatives are each given half of the weight. The second result is the expected calibration error: the mean distance
// of score and truth over the bars, in [0, 1].
func Reliability(samples []Sample, bins int) ([]Bin, float64) {
	var positives, negatives float64
	for _, s := range samples {
		if s.Positive {
			positives += s.Weight
		} else {
			negatives += s.Weight
		}
	}
	bars := make([]Bin, bins)
	for i := range bars {
		bars[i].Low, bars[i].High = float64(i)/float64(bins), float64(i+1)/float64(bins)
	}
	for _, s := range samples {
		bar := &bars[min(max(int(s.Score*float64(bins)), 0), bins-1)]
		w := s.Weight / (2 * negatives)
		if s.Positive {
			w = s.Weight / (2 * positives)
			bar.Actual += w
		}
		bar.Score += w * s.Score
		bar.Weight += w
	}
	var ece float64
	for i := range bars {
		bar := &bars[i]
		if bar.Weight == 0 {
			continue
		}
		ece += math.Abs(bar.Score - bar.Actual)
		bar.Score /= bar.Weight
		bar.Actual /= bar.Weight
	}
	return bars, ece
}
