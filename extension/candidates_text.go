package main

import (
	"fmt"
	"io"
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
		verdict := fmt.Sprintf("%.2f", figure.Number(r["score"]))
		if r["insufficient"] == "1" {
			verdict = "(" + verdict + ")"
		}
		every, jitter := "–", "–"
		if strings.Contains(r["reason_codes"], "regular_timing") {
			every = figure.Duration(time.Duration(figure.Number(r["interval_ms"])) * time.Millisecond)
			jitter = fmt.Sprintf("±%.0f %%", 100*figure.Number(r["jitter"]))
		}
		fmt.Fprintf(w, line, verdict, r["severity"], figure.Clip(programName(r), 21),
			figure.Clip(r["remote_address"]+":"+r["remote_port"], 24), every, jitter,
			size(figure.Number(r["size_bytes"])), r["beats"], r["sparkline"])
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

// size is a count of bytes, "–" where none were counted.
func size(bytes float64) string {
	if bytes < 1 {
		return "–"
	}
	return figure.Bytes(bytes)
}
