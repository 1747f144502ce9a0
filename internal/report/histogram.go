package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
	"gonum.org/v1/plot/vg"
)

const (
	bins             = 32
	widthOfHistogram = 250 // points
	leastBand        = 6   // points that a band is drawn wide at least
)

// intervals draws how often which gap occurred, with the band that the verdict rests on.
func intervals(bursts []Burst, r Row) (template.HTML, string, error) {
	var gaps []float64
	for i := 1; i < len(bursts); i++ {
		gaps = append(gaps, float64(bursts[i].At-bursts[i-1].At))
	}
	middle, width := figure.Number(r["interval_ms"]), figure.Number(r["jitter"])
	svg, err := histogram(gaps, middle, width, func(ms float64) string { return figure.Duration(time.Duration(ms) * time.Millisecond) })
	if svg == "" || err != nil {
		return "", "", err
	}
	text := "no band holds more gaps than chance would"
	if middle > 0 {
		text = fmt.Sprintf("band %s ± %.0f %% holds %.0f %% of the gaps between check-ins, %.0f %% by chance",
			figure.Duration(time.Duration(middle)*time.Millisecond), 100*width, 100*figure.Number(r["timing_share"]), 100*figure.Number(r["timing_chance"]))
	}
	return svg, text, nil
}

// sizes draws how often which payload occurred, with the band of similar sizes.
func sizes(bursts []Burst, r Row) (template.HTML, string, error) {
	payloads := make([]float64, 0, len(bursts))
	for _, b := range bursts {
		payloads = append(payloads, float64(b.Bytes))
	}
	middle, width := figure.Number(r["size_bytes"]), figure.Number(r["size_spread"])
	svg, err := histogram(payloads, middle, width, figure.Bytes)
	if svg == "" || err != nil {
		return "", "", err
	}
	text := "no size stands out"
	if middle > 0 {
		text = fmt.Sprintf("band %s ± %.0f %% holds %.0f %% of the check-ins", figure.Bytes(middle), 100*width, 100*figure.Number(r["size_share"]))
	}
	return svg, text, nil
}

// histogram draws values, with the band middle·(1±width) behind and above them if there is one: however narrow, it is seen. What lies beyond most values, or far
// beyond the band, is counted in the last bar.
func histogram(values []float64, middle, width float64, format func(float64) string) (template.HTML, error) {
	if len(values) < 2 {
		return "", nil
	}
	sorted := slices.Sorted(slices.Values(values))
	high := sorted[len(sorted)*95/100]
	if middle > 0 {
		high = max(min(high, 4*middle), middle*(1+width)*1.25)
	}
	high = max(high*1.05, 1)
	counts := make([]float64, bins)
	for _, v := range values {
		if i := int(v / high * bins); i >= 0 {
			counts[min(i, bins-1)]++
		}
	}
	bar := bars{color: barColor}
	for i, n := range counts {
		if n > 0 {
			bar.boxes = append(bar.boxes, box{float64(i) * high / bins, (float64(i) + 0.9) * high / bins, n})
		}
	}
	p := axes(0, high, format)
	p.Y.Max = slices.Max(counts)
	if middle > 0 {
		p.Y.Max *= 1.25 // the band stands above the bars that hide it
		half := max(middle*width, high*leastBand/(2*widthOfHistogram))
		p.Add(bars{color: bandColor, boxes: []box{{max(middle-half, 0), math.Min(middle+half, high), p.Y.Max}}})
	}
	p.Add(bar)
	return picture(p, vg.Points(widthOfHistogram), vg.Points(80))
}
