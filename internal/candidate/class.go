package candidate

import (
	"fmt"
	"math"
	"time"
)

// Classes are coarse, logarithmic names for intervals and sizes that stay the same while a beacon runs, for differential
// queries. A value keeps its class until it has left it by the margin.
const margin = 0.15

var intervalSteps = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
	5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
	8 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour}

var sizeSteps = []float64{16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20}

// intervalClass is the step nearest to d by ratio ("1m", "500ms"), or previous if d is still within its margin. Zero
// intervals have no class.
func intervalClass(d time.Duration, previous string) string {
	if d <= 0 {
		return ""
	}
	steps := make([]float64, len(intervalSteps))
	for i, s := range intervalSteps {
		steps[i] = float64(s)
	}
	return step(float64(d), steps, previous, func(v float64) string { return intervalName(time.Duration(v)) })
}

// sizeClass is the step nearest to bytes by ratio ("256B", "4KiB"), or previous if still within its margin. No payload is
// "0B".
func sizeClass(bytes float64, previous string) string {
	if bytes < 1 {
		return "0B"
	}
	return step(bytes, sizeSteps, previous, sizeName)
}

func step(v float64, steps []float64, previous string, name func(float64) string) string {
	best, at := math.Inf(1), 0
	for i, s := range steps {
		d := math.Abs(math.Log(v / s))
		if name(s) == previous && inReach(v, steps, i) {
			return previous
		}
		if d < best {
			best, at = d, i
		}
	}
	return name(steps[at])
}

// inReach reports whether v is within step i's class widened by the margin: the class reaches to the geometric middle of
// its neighbours.
func inReach(v float64, steps []float64, i int) bool {
	low, high := 0.0, math.Inf(1)
	if i > 0 {
		low = math.Sqrt(steps[i-1]*steps[i]) / (1 + margin)
	}
	if i < len(steps)-1 {
		high = math.Sqrt(steps[i]*steps[i+1]) * (1 + margin)
	}
	return v >= low && v <= high
}

func intervalName(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d >= time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

func sizeName(bytes float64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%gMiB", bytes/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%gKiB", bytes/(1<<10))
	}
	return fmt.Sprintf("%gB", bytes)
}
