// Package figure writes figures as people read them: durations, byte counts, names that have to fit, where a row sends. It knows no
// screens.
package figure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Duration writes d with three digits in the unit a person would use: "340 ms", "60 s", "4.5 min", "1.5 h", "7 d".
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.3g min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.3g h", d.Hours())
	}
	return fmt.Sprintf("%.4g d", d.Hours()/24)
}

// Bytes writes a count of bytes with at most four digits: "151 B", "102.5 KiB".
func Bytes(b float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if b < 1024 {
			return fmt.Sprintf("%.4g %s", b, unit)
		}
		b /= 1024
	}
	return fmt.Sprintf("%.4g TiB", b)
}

// Number reads a number as tables write it; what is empty, no number or not finite is 0.
func Number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v || v > math.MaxFloat64 || v < -math.MaxFloat64 {
		return 0
	}
	return v
}

// Clip shortens s to n characters, the last of them an ellipsis.
func Clip(s string, n int) string {
	r := []rune(s)
	switch {
	case len(r) <= n:
		return s
	case n < 1:
		return ""
	}
	return string(r[:n-1]) + "…"
}

// ClipLeft shortens s to n characters from the front: of a path its end tells most.
func ClipLeft(s string, n int) string {
	r := []rune(s)
	switch {
	case len(r) <= n:
		return s
	case n < 1:
		return ""
	}
	return "…" + string(r[len(r)-n+1:])
}

// Wrap breaks s at spaces into lines of at most width characters, at most so many, 0 for as many as it takes. What is left over
// is an ellipsis; a word longer than a line has a longer one to itself. No word is cut: it may be one to copy.
func Wrap(s string, width, most int) []string {
	var lines []string
	for words := strings.Fields(s); len(words) > 0; {
		room := width
		if last := len(lines) == most-1; last && utf8.RuneCountInString(strings.Join(words, " ")) > width {
			room -= 2 // for the ellipsis
		}
		line, n := words[0], 1
		for n < len(words) && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(words[n]) <= room {
			line += " " + words[n]
			n++
		}
		words = words[n:]
		if lines = append(lines, line); len(lines) == most && len(words) > 0 {
			lines[most-1] += " …"
			break
		}
	}
	return lines
}

// Count writes how many there are of something: "1 candidate", "2 candidates".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
