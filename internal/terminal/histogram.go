package terminal

import (
	"fmt"
	"slices"
	"strings"
)

// mostBins bounds the lines of a histogram, that of the outliers apart.
const mostBins = 8

// histogram draws values as lines of text, as many as they have spread; bars inside the band are full, the others light. The
// topmost twentieth does not stretch it, and is counted aside.
func histogram(title string, values []float64, middle, spread float64, width int, format func(float64) string) []string {
	lines := []string{bold.Render(title)}
	if len(values) < 2 {
		return append(lines, "  too few")
	}
	sorted := slices.Sorted(slices.Values(values))
	low, high := sorted[0], sorted[(len(sorted)-1)*95/100]
	step := max((high-low)/mostBins, sorted[len(sorted)/2]/50, 1) // values that are all but equal are one bar
	counts := make([]int, min(int((high-low)/step)+1, mostBins))
	above := 0
	for _, v := range sorted {
		switch i := int((v - low) / step); {
		case v > high && i >= len(counts):
			above++
		default:
			counts[min(i, len(counts)-1)]++
		}
	}
	most := max(slices.Max(counts), above)
	draw := func(label, bar string, n int) {
		length := n * max(width-20, 5) / most
		if n > 0 {
			length = max(length, 1)
		}
		lines = append(lines, fmt.Sprintf("%10s %s %d", label, strings.Repeat(bar, length), n))
	}
	for i, n := range counts {
		from, bar := low+float64(i)*step, "░"
		if middle > 0 && from+step >= middle*(1-spread) && from <= middle*(1+spread) {
			bar = "█"
		}
		draw(format(from), bar, n)
	}
	if above > 0 {
		draw("more", "░", above)
	}
	return lines
}
