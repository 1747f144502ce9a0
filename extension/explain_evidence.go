package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

const (
	// sizeWeight and fullNats are those of internal/beacon, which a test holds them to.
	sizeWeight = 0.9
	fullNats   = 8.0
)

// parts splits the evidence of a candidate into what the timing and what the sizes gave to it, in nats. The sizes give 0.9 of
// theirs, each nat beyond the eighth less and less, at most 0.9 of what the timing gives.
func parts(evidence, sizes float64, spent bool) (ofTiming, ofSizes float64) {
	if sizes <= 0 || evidence <= 0 || spent {
		return evidence, 0
	}
	ofSizes = sizeWeight * min(damped(damped(sizes)), evidence/(1+sizeWeight))
	return evidence - ofSizes, ofSizes
}

// damped counts nats in full up to the eighth, then by their logarithm.
func damped(nats float64) float64 {
	if nats <= fullNats {
		return nats
	}
	return fullNats * (1 + math.Log(nats/fullNats))
}

// explainSum writes how the evidence is put together, so that it can be added up.
func explainSum(b *strings.Builder, r map[string]string) {
	n := figure.Number
	timing, sizes, evidence := n(r["timing_evidence"]), n(r["size_evidence"]), n(r["evidence"])
	spent := strings.Contains(r["reason_codes"], "size_group") // sizes that picked the sends are no evidence besides
	ofTiming, ofSizes := parts(evidence, sizes, spent)
	if timing <= 0 || evidence <= 0 {
		fmt.Fprintf(b, "  together: %s nats of evidence, which is a score of %s.\n", r["evidence"], r["score"])
		return
	}
	fmt.Fprintf(b, "  together: %.3f × %.2f", timing, ofTiming/timing)
	if ofSizes > 0 {
		fmt.Fprintf(b, " + %.3f × %.2f = %.2f + %.2f", sizes, ofSizes/sizes, ofTiming, ofSizes)
	}
	fmt.Fprintf(b, " = %s nats of evidence, which is a score of %s.\n", r["evidence"], r["score"])
	b.WriteString("  the weights: each nat beyond the eighth counts less and less, a rhythm faster than two seconds counts less, sizes count for at\n" +
		"  most 0.9 of what the timing does. A nat is a factor of 2.7 in likelihood.\n")
}
