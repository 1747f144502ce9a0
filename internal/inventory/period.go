package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// periodTolerance is how far outside a range, as a share, the middle of a measured band of intervals may lie: timers of
// daemons are late by their work, never exact.
const periodTolerance = 0.1

// span is a range of periods, both ends included. The zero value covers any rhythm and none.
type span struct{ least, most time.Duration }

// parseSpan reads "30s", "1m..10m", "12h..1d" or "any".
func parseSpan(text string) (span, error) {
	if text == anything {
		return span{}, nil
	}
	low, high, ranged := strings.Cut(text, "..")
	if !ranged {
		high = low
	}
	least, err := parseDuration(low)
	if err != nil {
		return span{}, err
	}
	most, err := parseDuration(high)
	switch {
	case err != nil:
		return span{}, err
	case most < least:
		return span{}, fmt.Errorf("the range %s ends before it begins", text)
	}
	return span{least, most}, nil
}

// parseDuration is time.ParseDuration with days.
func parseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		if n, err = strconv.ParseUint(days, 10, 16); err == nil {
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || d <= 0 || d > 366*24*time.Hour {
		return 0, fmt.Errorf("%q is no period: write 30s, 5m, 12h, 1d or a range such as 30s..5m, or any", text)
	}
	return d, nil
}

func (s span) any() bool { return s == span{} }

// covers reports whether a rhythm of this period is within the range. One that is the sum of several destinations (of > 1)
// may be as many times faster than each of them.
func (s span) covers(period time.Duration, of int) bool {
	if s.any() || period <= 0 {
		return true
	}
	return float64(period)*float64(max(of, 1)) >= float64(s.least)*(1-periodTolerance) && float64(period) <= float64(s.most)*(1+periodTolerance)
}

// includes reports whether o is part of s.
func (s span) includes(o span) bool {
	return s.any() || !o.any() && s.least <= o.least && o.most <= s.most
}

func (s span) overlaps(o span) bool {
	return s.any() || o.any() || s.least <= o.most && o.least <= s.most
}

func (s span) String() string {
	switch {
	case s.any():
		return anything
	case s.least == s.most:
		return short(s.least)
	}
	return short(s.least) + ".." + short(s.most)
}

// short writes a duration as a rule would: 90s as 1m30s, without the zero parts Duration.String has.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range [...]string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// anything is the word by which a rule says that it does not restrict.
const anything = "any"
