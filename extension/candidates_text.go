package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// shown is how many candidates are printed.
const shown = 12

// printCandidates writes ranked rows of beacon_candidates for a person, within 120 columns: a line of figures and a line
// that says why.
func printCandidates(w io.Writer, rows []map[string]string, status map[string]string) {
	fmt.Fprintf(w, "\nbeacon_candidates, most evidence first (level %s", status["level"])
	if status["level_reason"] != "" {
		fmt.Fprintf(w, ": %s", status["level_reason"])
	}
	fmt.Fprintf(w, "; unattributed sends %s)\n\n", status["unattributed_sends"])
	if len(rows) == 0 {
		fmt.Fprintln(w, "  none: no program has sent to one destination at least three times")
		return
	}
	const line = "%6s  %-6s %-21s %-24s %10s %7s %10s %6s  %s\n"
	fmt.Fprintf(w, line, "score", "grade", "program", "destination", "every", "jitter", "size", "beats", "latest gaps")
	for _, r := range rows[:min(len(rows), shown)] {
		verdict := fmt.Sprintf("%.2f", number(r, "score"))
		if r["insufficient"] == "1" {
			verdict = "(" + verdict + ")"
		}
		every, jitter := "–", "–"
		if strings.Contains(r["reason_codes"], "regular_timing") {
			every, jitter = interval(number(r, "interval_ms")), fmt.Sprintf("±%.0f %%", 100*number(r, "jitter"))
		}
		fmt.Fprintf(w, line, verdict, r["severity"], clip(programName(r), 21),
			clip(r["remote_address"]+":"+r["remote_port"], 24), every, jitter,
			size(number(r, "size_bytes")), r["beats"], r["sparkline"])
		for _, line := range figure.Wrap(r["reason"], 112, 2) {
			fmt.Fprintf(w, "        %s\n", line)
		}
	}
	if len(rows) > shown {
		fmt.Fprintf(w, "        and %d more; a score in brackets has too few beats to conclude anything\n", len(rows)-shown)
	}
}

// programName is the executable's name, with the script an interpreter runs.
func programName(r map[string]string) string {
	switch {
	case r["path"] == "":
		return "[unattributed]"
	case r["script"] != "":
		return filepath.Base(r["path"]) + " " + filepath.Base(r["script"])
	}
	return filepath.Base(r["path"])
}

func interval(ms float64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	case d >= 5*time.Minute:
		return fmt.Sprintf("%.1f min", d.Minutes())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func size(bytes float64) string {
	switch {
	case bytes < 1:
		return "–"
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", bytes/(1<<20))
	case bytes >= 10<<10:
		return fmt.Sprintf("%.1f KiB", bytes/(1<<10))
	}
	return fmt.Sprintf("%.0f B", math.Round(bytes))
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
