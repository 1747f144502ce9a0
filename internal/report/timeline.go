package report

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
	"gonum.org/v1/plot/vg"
)

// columns is how many moments the timeline can tell apart: with more check-ins each column shows the largest of its own.
const columns = 220

// timeline draws when micro-bursts began and how much each sent; beats is how many check-ins the verdict made of them.
func timeline(bursts []Burst, beats string) (template.HTML, string, error) {
	if len(bursts) < 2 {
		return "", "", nil
	}
	first, last := bursts[0].At, bursts[len(bursts)-1].At
	width := max(last-first, 1)
	largest := make([]float64, columns)
	seen := make([]bool, columns)
	for _, b := range bursts {
		i := int((b.At - first) * (columns - 1) / width)
		if i < 0 || i >= columns {
			continue // a clock that was set back
		}
		largest[i], seen[i] = max(largest[i], float64(b.Bytes)), true
	}
	marks := lines{color: barColor}
	for i, y := range largest {
		if seen[i] {
			x := float64(i) * float64(width) / (columns - 1)
			marks.boxes = append(marks.boxes, box{x, x, y})
		}
	}
	p := axes(0, float64(width), func(v float64) string {
		return time.UnixMilli(first + int64(v)).UTC().Format(clockFormat(width))
	})
	p.Y.Max = max(slices.Max(largest), 1)
	p.Add(marks)
	svg, err := picture(p, vg.Points(520), vg.Points(70))
	text := fmt.Sprintf("%s in %s, from %s to %s UTC", counted(len(bursts), int(figure.Number(beats))), figure.Duration(time.Duration(width)*time.Millisecond),
		time.UnixMilli(first).UTC().Format(time.DateTime), time.UnixMilli(last).UTC().Format(time.DateTime))
	return svg, text, err
}

// counted says how many micro-bursts there are, in the word of the verdict where that counted as many.
func counted(bursts, beats int) string {
	if bursts == beats || beats == 0 {
		return figure.Count(bursts, "check-in")
	}
	return fmt.Sprintf("%s of sends, judged as %s,", figure.Count(bursts, "burst"), figure.Count(beats, "check-in"))
}

// clockFormat shows of a moment what differs within so many milliseconds.
func clockFormat(width int64) string {
	switch d := time.Duration(width) * time.Millisecond; {
	case d < 10*time.Minute:
		return "15:04:05"
	case d < 36*time.Hour:
		return "15:04"
	}
	return "01-02 15:04"
}
