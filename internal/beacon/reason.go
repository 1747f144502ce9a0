package beacon

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Reason says in one sentence why the flow scored as it did, for people: "94 % of 212 gaps within ±20 % of 60 s, 31 % by
// chance; 97 % of payloads 151 ± 3 bytes".
func (r Result) Reason() string {
	var parts []string
	switch {
	case r.TimingEvidence > 0:
		parts = append(parts, Percent(r.TimingShare)+" of "+strconv.Itoa(r.Gaps)+" gaps within ±"+Percent(r.Jitter)+" of "+pretty(r.Interval)+
			", "+Percent(r.TimingChance)+" by chance")
	case r.Beats < 3:
		parts = append(parts, fmt.Sprintf("too few beats to judge (%d)", r.Beats))
	default:
		parts = append(parts, fmt.Sprintf("no rhythm in %d gaps", r.Gaps))
	}
	if r.SizeEvidence > 0 {
		parts = append(parts, Percent(r.SizeShare)+" of payloads "+digits(r.Size, 'f', 0)+" ± "+digits(math.Round(r.Size*r.SizeSpread), 'f', 0)+" bytes")
	}
	if r.Second > 0 {
		parts = append(parts, "a second period of "+pretty(r.Second))
	}
	if r.Codes.Has(Ramp) {
		parts = append(parts, "growing or shrinking steadily")
	}
	if r.Codes.Has(SizeGroup) {
		parts = append(parts, "counting the sends of one size only")
	}
	if r.Missed > 0 {
		parts = append(parts, plural(r.Missed, "beat")+" missed")
	}
	if r.FailedShare > 0 {
		parts = append(parts, Percent(r.FailedShare)+" of attempts failed")
	}
	if r.Codes.Has(CoarseClock) {
		parts = append(parts, "clock too coarse for more")
	}
	if r.Insufficient && r.Beats >= 3 {
		parts = append(parts, fmt.Sprintf("%d beats are too few", r.Beats))
	}
	return strings.Join(parts, "; ")
}

// plural renders a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Percent renders a share with as many digits as it needs: 0.5 %, 94 %.
func Percent(share float64) string {
	p := 100 * share
	if p > 0 && p < 1 || p >= 99.5 && p < 100 {
		return digits(min(p, 99.9), 'f', 1) + " %"
	}
	return digits(p, 'f', 0) + " %"
}

// pretty renders an interval in the unit people say it in.
func pretty(d time.Duration) string {
	seconds := d.Seconds()
	switch {
	case seconds < 1:
		return digits(seconds*1e3, 'g', 3) + " ms"
	case seconds < 600:
		return digits(seconds, 'g', 3) + " s"
	case seconds < 2*3600:
		return digits(seconds/60, 'g', 3) + " min"
	case seconds < 48*3600:
		return digits(seconds/3600, 'g', 3) + " h"
	}
	return digits(seconds/86400, 'g', 3) + " days"
}

// digits is fmt's %f or %g: a table says why of thousands of candidates in one answer, for a third of the price.
func digits(v float64, format byte, precision int) string {
	return strconv.FormatFloat(v, format, precision, 64)
}
