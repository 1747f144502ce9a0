package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

// whenListed says from when on there is something to see.
const whenListed = "a program and a destination are listed from three check-ins on and conclusive from six, with much jitter from up to twenty"

// listing is how many candidates are printed and how much of each.
type listing struct {
	rows  int  // at most, the rest is counted
	lines int  // of the reason, 0 for all
	who   bool // a line that says which process it is, whole and fit to be copied, and which rule expects it
}

// write writes ranked rows of beacon_candidates for a person: a line of figures, and lines that say who and why. Nothing is cut
// within a word; with short names it stays within 120 columns.
func (l listing) write(w io.Writer, rows []map[string]string, status map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nbeacon_candidates, most evidence first (level %s", cmp.Or(status["level"], "unknown"))
	if status["level_reason"] != "" {
		fmt.Fprintf(&b, ": %s", status["level_reason"])
	}
	if n := figure.Number(status["unattributed_sends"]); n > 0 {
		fmt.Fprintf(&b, "; %s of processes that could not be found", figure.Count(int(n), "send"))
	}
	b.WriteString(")\n\n")
	if len(rows) == 0 {
		fmt.Fprintf(&b, "  none yet: %s\n", whenListed)
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, candidateLine, "score", "grade", "program", "destination", "every", "jitter", "size", "beats", "latest gaps")
	few := false
	for _, r := range rows[:min(len(rows), l.rows)] {
		l.row(&b, printable(r))
		few = few || r["insufficient"] == "1"
	}
	if more := len(rows) - l.rows; more > 0 {
		fmt.Fprintf(&b, "        and %d more\n", more)
	}
	if few {
		b.WriteString("        a score in brackets has too few beats to conclude anything\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const candidateLine = "%6s  %-6s %-21s %-24s %10s %7s %10s %6s  %s\n"

// row writes one row, which must be printable.
func (l listing) row(b *strings.Builder, r map[string]string) {
	verdict := fmt.Sprintf("%.2f", figure.Number(r["score"]))
	if r["insufficient"] == "1" {
		verdict = "(" + verdict + ")"
	}
	every, jitter := "–", "–"
	if strings.Contains(r["reason_codes"], "regular_timing") {
		every = figure.Duration(time.Duration(figure.Number(r["interval_ms"])) * time.Millisecond)
		jitter = fmt.Sprintf("±%.0f %%", 100*figure.Number(r["jitter"]))
	}
	to := net.JoinHostPort(r["remote_address"], r["remote_port"])
	if r["scope"] == "process" {
		to = figure.Destination(r)
	}
	fmt.Fprintf(b, candidateLine, verdict, r["severity"], programName(r), to, every, jitter, size(figure.Number(r["size_bytes"])), r["beats"], r["sparkline"])
	if l.who {
		fmt.Fprintf(b, "        %s\n", whoIs(r))
	}
	for _, line := range figure.Wrap(r["reason"], 112, l.lines) {
		fmt.Fprintf(b, "        %s\n", line)
	}
}

// printable is a row that a terminal may show, whatever table it is of.
func printable(r map[string]string) map[string]string {
	shown := make(map[string]string, len(r))
	for name, value := range r {
		shown[name] = process.Printable(value, process.MaxText)
	}
	return shown
}

// whoIs says which process a row is of, and whether it is expected.
func whoIs(r map[string]string) string {
	words := []string{strings.TrimSpace(cmp.Or(r["path"], "[unattributed]") + " " + r["script"])}
	if figure.Number(r["pid"]) > 0 {
		words = append(words, "pid "+r["pid"])
	}
	if r["username"] != "" {
		words = append(words, "user "+r["username"])
	}
	if r["remote_hostname"] != "" {
		words = append(words, "to "+r["remote_hostname"])
	}
	switch r["expected"] {
	case "1":
		words = append(words, "expected by "+r["rule_source"]+" rule "+r["rule"])
	case "0":
		words = append(words, "not expected")
	default:
		words = append(words, "not judged")
	}
	return strings.Join(words, ", ")
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
