package coverage

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// Row is a row of beacon_candidates, by column.
type Row = map[string]string

// Columns are those of beacon_candidates that Watch reads.
const Columns = "scope, pid, path, script, cmdline, protocol, remote_address, remote_port, beats, score, evidence, insufficient, severity, expected, interval_ms, jitter," +
	" size_bytes, quality, reason, reason_codes, suspicions, signature, coverage_run"

// Verdict is what became of one shape.
type Verdict struct {
	Shape     string `json:"shape"`
	What      string `json:"what"`
	Technique string `json:"technique"`
	// Skipped says why it was not started; then nothing else is known.
	Skipped string `json:"skipped,omitempty"`
	// Found: a candidate with enough check-ins and a score above the threshold. Attributed: it names the process.
	Found      bool `json:"found"`
	Attributed bool `json:"attributed"`
	// Promised: the blind-spot guide says that this level finds it.
	Promised bool `json:"promised"`
	// AfterBeats is how many check-ins were needed, Sent how many there were in all.
	AfterBeats int     `json:"after_beats,omitempty"`
	Sent       int     `json:"sent"`
	Score      float64 `json:"score"`
	Severity   string  `json:"severity,omitempty"`
	Level      string  `json:"level"`
	// Marked: the row carries the id of this run.
	Marked bool   `json:"marked"`
	Reason string `json:"reason,omitempty"`
	// Row is the evidence itself, as the table gave it.
	Row Row `json:"row,omitempty"`
}

// OK: it was found, or the guide says that it is not.
func (v *Verdict) OK() bool { return v.Skipped != "" || v.Found == v.Promised || v.Found }

// threshold is the score that counts as found.
const threshold = 0.5

// Watch keeps the verdicts of a run as the tables are asked again and again.
type Watch struct {
	Level    string
	verdicts []Verdict
	shapes   []Shape
	paths    map[string]string // by shape: the executable of a copy of our own
}

// NewWatch begins with nothing found. paths are the executables of the shapes.
func NewWatch(shapes []Shape, paths map[string]string) *Watch {
	w := &Watch{shapes: shapes, paths: paths}
	for _, s := range shapes {
		w.verdicts = append(w.verdicts, Verdict{Shape: s.Name, What: s.What, Technique: s.Technique})
	}
	return w
}

// Skip notes that a shape is not started.
func (w *Watch) Skip(shape, why string) {
	for i := range w.verdicts {
		if w.verdicts[i].Shape == shape {
			w.verdicts[i].Skipped = why
		}
	}
}

// Look takes in the rows of one moment, sent so far by shape, and the id of the run.
func (w *Watch) Look(rows []Row, sent map[string]int, run string) {
	for i := range w.shapes {
		v := &w.verdicts[i]
		v.Sent, v.Level, v.Promised = sent[v.Shape], w.Level, Promised(w.Level, v.Shape)
		r := w.best(&w.shapes[i], rows)
		if r == nil {
			continue
		}
		score := figure.Number(r["score"])
		found := score >= threshold && r["insufficient"] == "0"
		if found && !v.Found {
			v.AfterBeats = int(figure.Number(r["beats"]))
		}
		if !found && v.Found {
			continue // it was found; a last look at the end of its traffic does not take that back
		}
		v.Found, v.Score, v.Severity, v.Reason, v.Row = found, score, r["severity"], r["reason"], r
		v.Attributed = r["path"] != ""
		// a process that has just sent is marked a moment later
		v.Marked = v.Marked || run != "" && r["coverage_run"] == run
	}
}

// best is the row of a shape with the most evidence.
func (w *Watch) best(s *Shape, rows []Row) (best Row) {
	for _, r := range rows {
		if r["scope"] != s.Scope || !w.of(s, r) {
			continue
		}
		if best == nil || figure.Number(r["evidence"]) > figure.Number(best["evidence"]) {
			best = r
		}
	}
	return best
}

// of tells rows of a shape by its destination, which is nobody else's, or, over all destinations, by its executable.
func (w *Watch) of(s *Shape, r Row) bool {
	if s.Scope == "process" {
		return r["path"] != "" && r["path"] == w.paths[s.Name]
	}
	for _, a := range s.Addresses {
		to, err := netip.ParseAddrPort(a)
		if err == nil && r["remote_address"] == to.Addr().String() && r["remote_port"] == strconv.Itoa(int(to.Port())) {
			return true
		}
	}
	return false
}

// Verdicts returns what is known so far.
func (w *Watch) Verdicts() []Verdict { return w.verdicts }

// Complete reports whether everything that was started has been found and marked.
func (w *Watch) Complete() bool {
	for i := range w.verdicts {
		if v := &w.verdicts[i]; v.Skipped == "" && (!v.Found || strings.Contains(v.Row["reason_codes"], "insufficient")) {
			return false
		}
	}
	return true
}
