package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/logfile"
	"github.com/beaconwatch/beaconwatch/internal/replay"
)

// score judges recorded flows, one line each.
type score struct {
	config beacon.Config
	jobs   int
}

func scoreCommand() *cobra.Command {
	s := &score{}
	cmd := &cobra.Command{
		Use:   "score [FILE|-]",
		Short: "Score recorded flows, one JSON object a line",
		Long: `score reads flows as JSON Lines (plain, gzip or zstd), from standard input without a FILE:

  {"id": "a", "sends": [[seconds, bytes], ...], "window_s": 3600, "resolution_ms": 1, "process": "/usr/bin/x",
   "destination": "192.0.2.1:443"}

Only sends is required. It writes one JSON object for each line that is not blank, in the same order: id, line, score (0 to 1),
evidence (rank by it), confidence, insufficient, interval_ms, jitter, beats, timing_share, timing_chance, timing_evidence,
size_bytes (whole), size_spread, size_share, size_evidence, failed_share, reason_codes and reason.

Seconds may count from any moment, be unsorted and repeated; sends of one instant are one send, a fraction of a byte is
rounded and null bytes are 0, and only the newest 513 sends are judged. A flow of fewer than three sends, or none, scores 0 and is insufficient.
A line that cannot be read (broken JSON; a time or size that is negative, infinite or no number; over 64 MiB or 4 194 304
sends) gives an object with id, line, score null and error, and a sentence on standard error; the rest is scored and the
exit code is 1.`,
		Example: `  beaconwatch.ext score flows.jsonl
  zcat flows.jsonl.gz | beaconwatch.ext score --jobs 4 | jq -r 'select(.score >= 0.5) | .id + ": " + .reason'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd, args) },
	}
	f := cmd.Flags()
	underscores(f)
	f.IntVar(&s.jobs, "jobs", 0, "how many flows to score at a time (default one for each CPU)")
	f.Float64Var(&s.config.PayloadLengthVariance, "payload_length_variance", beacon.DefaultPayloadLengthVariance,
		"half-width of a band of payload sizes that counts as one size, 0 to 1")
	f.Float64Var(&s.config.RepeatFrequencyThreshold, "repeat_frequency_threshold", 0,
		"least beats per hour that count as repetition, 0 for any")
	f.IntVar(&s.config.MinBeats, "min_beats", beacon.DefaultMinBeats, "least beats for a sufficient result")
	f.Float64Var(&s.config.Threshold, "threshold", beacon.DefaultThreshold, "score from which a flow is above threshold, 0 to 1")
	return cmd
}

func (s *score) run(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("score takes one file, not %d", len(args))
	}
	if cmd.Flags().Changed("jobs") && s.jobs < 1 {
		return usagef("--jobs is %d, it must be at least 1", s.jobs)
	}
	if _, err := beacon.NewScorer(s.config); err != nil {
		return usagef("score: %w", err)
	}
	path := "-"
	if len(args) == 1 {
		path = args[0]
	}
	flows, err := replay.OpenFlows(path, interruptible(cmd.Context(), cmd.InOrStdin()))
	if err != nil {
		return fmt.Errorf("score %w", err)
	}
	defer flows.Close()
	return s.score(cmd.Context(), flows, cmd.OutOrStdout(), cmd.ErrOrStderr())
}

func (s *score) score(ctx context.Context, flows *replay.FlowReader, out, messages io.Writer) error {
	var scored atomic.Int64
	hide := showProgress(messages, func() string {
		return fmt.Sprintf("scored %s%s", figure.Count(int(scored.Load()), "flow"), share(flows.Progress()))
	})
	err := flows.Map(ctx, s.jobs, out, func() func([]byte, *replay.FlowLine) []byte {
		return s.worker(&scored)
	})
	hide()
	if err != nil {
		return fmt.Errorf("score: %w", err)
	}
	return complain(messages, "score", flows.Stats().Faults)
}

// complain names the bad lines on w and returns errSilent if there were any.
func complain(w io.Writer, command string, faults logfile.Faults) error {
	for _, b := range faults.BadLines {
		fmt.Fprintf(w, "beaconwatch.ext: %s %v\n", command, b)
	}
	if more := faults.Bad - uint64(len(faults.BadLines)); more > 0 {
		fmt.Fprintf(w, "beaconwatch.ext: %s: %s\n", command, figure.Count(int(more), "more bad line"))
	}
	if faults.Bad > 0 {
		return errSilent
	}
	return nil
}

// worker returns a function that scores one line after the other with memory of its own.
func (s *score) worker(scored *atomic.Int64) func([]byte, *replay.FlowLine) []byte {
	scorer, err := beacon.NewScorer(s.config)
	var series beacon.Series
	return func(dst []byte, line *replay.FlowLine) []byte {
		defer scored.Add(1)
		id := json.RawMessage(line.Flow.ID)
		if failed := errors.Join(err, line.Err); failed != nil {
			return appendLine(dst, &badFlow{ID: id, Line: line.Line, Error: failed.Error()})
		}
		fill(&series, &line.Flow)
		return appendLine(dst, newVerdict(id, line, scorer.Score(series)))
	}
}

// fill turns the sends of a flow into the reused series.
func fill(s *beacon.Series, f *replay.Flow) {
	s.At, s.Bytes = s.At[:0], s.Bytes[:0]
	for _, one := range f.Sends {
		s.At = append(s.At, one.At)
		s.Bytes = append(s.Bytes, one.Bytes)
	}
	s.Resolution, s.Window = f.Resolution, f.Window
}

// verdict is one line of output, under the names of the columns of beacon_candidates.
type verdict struct {
	ID             json.RawMessage `json:"id"`
	Line           int             `json:"line"`
	Score          float64         `json:"score"`
	Evidence       float64         `json:"evidence"`
	Confidence     float64         `json:"confidence"`
	Insufficient   bool            `json:"insufficient"`
	IntervalMS     float64         `json:"interval_ms"`
	Jitter         float64         `json:"jitter"`
	Beats          int             `json:"beats"`
	TimingShare    float64         `json:"timing_share"`
	TimingChance   float64         `json:"timing_chance"`
	TimingEvidence float64         `json:"timing_evidence"`
	SizeBytes      float64         `json:"size_bytes"`
	SizeSpread     float64         `json:"size_spread"`
	SizeShare      float64         `json:"size_share"`
	SizeEvidence   float64         `json:"size_evidence"`
	FailedShare    float64         `json:"failed_share"`
	ReasonCodes    []string        `json:"reason_codes"`
	Reason         string          `json:"reason"`
	Process        string          `json:"process,omitempty"`
	Destination    string          `json:"destination,omitempty"`
}

// badFlow is the line of output for a line that could not be read.
type badFlow struct {
	ID    json.RawMessage `json:"id"`
	Line  int             `json:"line"`
	Score *float64        `json:"score"`
	Error string          `json:"error"`
}

func newVerdict(id json.RawMessage, line *replay.FlowLine, r beacon.Result) *verdict {
	codes := r.ReasonCodes()
	if codes == nil {
		codes = []string{}
	}
	return &verdict{
		ID: id, Line: line.Line, Score: r.Score, Evidence: r.Evidence, Confidence: r.Confidence, Insufficient: r.Insufficient,
		IntervalMS: math.Round(float64(r.Interval)/float64(time.Microsecond)) / 1000, Jitter: r.Jitter, Beats: r.Beats,
		TimingShare: r.TimingShare, TimingChance: r.TimingChance, TimingEvidence: r.TimingEvidence,
		SizeBytes: math.Round(r.Size), SizeSpread: r.SizeSpread, SizeShare: r.SizeShare, SizeEvidence: r.SizeEvidence,
		FailedShare: r.FailedShare, ReasonCodes: codes, Reason: r.Reason(),
		Process: line.Flow.Process, Destination: line.Flow.Destination,
	}
}

// appendLine appends v as JSON and a newline.
func appendLine(dst []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // a number that is not finite, which would be a fault of the scorer
		return append(dst, `{"id":null,"score":null,"error":"the result is not finite"}`+"\n"...)
	}
	return append(append(dst, text...), '\n')
}
