package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/baseline"
	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

func explainCommand() *cobra.Command {
	var w whom
	cmd := &cobra.Command{
		Use:   "explain PID|ROW",
		Short: "Say why a pair has its score and grade, what would change it, and which rule would make it expected",
		Long: `explain says of each candidate of a process, or of one row, what its score and its grade rest on, what would change them, and
prints the rule that would make it expected, if a person can vouch for it, or why none can. ROW is a rank, as #1, an alert_id or a
signature, which is program, script, control group or container (after @) and destination. A PID may be that of any process of
the pair, also of one that has ended.`,
		Example: `  beaconwatch.ext explain 4711
  beaconwatch.ext explain '#1'
  beaconwatch.ext explain '/opt/agent tcp://198.51.100.7:443'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("explain takes one PID or row; a signature needs quotes")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := w.load()
			if err != nil {
				return err
			}
			ask, done, err := w.connect(cmd, cfg, true)
			if err != nil {
				return err
			}
			defer done()
			rows, err := rowsOf(cmd.Context(), ask, "SELECT * FROM beacon_candidates WHERE "+whichRow(args[0])+" ORDER BY evidence DESC")
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return fmt.Errorf("no candidate is %s; %s", args[0], whenListed)
			}
			for _, r := range rows {
				if err := explain(cmd.OutOrStdout(), r); err != nil {
					return err
				}
			}
			return nil
		},
	}
	w.bind(cmd)
	return cmd
}

// whichRow is the condition that a word names a row by.
func whichRow(word string) string {
	if rank, ok := strings.CutPrefix(word, "#"); ok {
		if n, err := strconv.Atoi(rank); err == nil {
			return fmt.Sprintf("rank = %d", n)
		}
	}
	if pid, err := strconv.Atoi(word); err == nil {
		// the process that sent last is in the row; one that sent before, as those of a one-shot sender, is in the statistics
		return fmt.Sprintf("pid = %d OR (path, script, uid, remote_address, remote_port) IN (SELECT path, script, uid, remote_address, remote_port FROM process_outbound_stats WHERE pid = %d)", pid, pid)
	}
	return "signature = " + sqlText(word) + " OR alert_id = " + sqlText(word)
}

// explain writes what one row rests on.
func explain(w io.Writer, r map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r["signature"])
	if at := strings.Index(r["signature"], " @"); at >= 0 {
		workload, _, _ := strings.Cut(r["signature"][at+1:], " ")
		fmt.Fprintf(&b, "  %s: the control group, container or network namespace it runs in; the same program in another is another candidate\n", workload)
	}
	fmt.Fprintf(&b, "  score %s, evidence %s nats, severity %s, expected %s\n  %s\n", r["score"], r["evidence"], r["severity"], r["expected"], r["reason"])
	explainScore(&b, r)
	explainGrade(&b, r)
	explainRule(&b, r)
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func explainScore(b *strings.Builder, r map[string]string) {
	n := figure.Number
	share := func(column string) string { return beacon.Percent(n(r[column])) }
	interval := figure.Duration(time.Duration(n(r["interval_ms"])) * time.Millisecond)
	b.WriteString("\nThe score\n")
	if n(r["interval_ms"]) > 0 {
		fmt.Fprintf(b, "  timing: %s of the gaps lie within ±%s of %s; %s would by chance: %s nats.\n",
			share("timing_share"), share("jitter"), interval, share("timing_chance"), r["timing_evidence"])
	} else {
		fmt.Fprintf(b, "  timing: no band of gaps holds more than chance would; %s check-ins.\n", r["beats"])
	}
	if n(r["size_bytes"]) > 0 {
		fmt.Fprintf(b, "  sizes: %s of the payloads lie within ±%s of %s: %s nats, counted because the timing is regular.\n", share("size_share"), share("size_spread"),
			figure.Bytes(n(r["size_bytes"])), r["size_evidence"])
	}
	if n(r["failed_share"]) > 0 {
		fmt.Fprintf(b, "  %s of the attempts never connected.\n", share("failed_share"))
	}
	explainSum(b, r)
	b.WriteString("What would change it\n")
	least := beacon.SufficientBeats(n(r["jitter"]))
	switch beats := int(n(r["beats"])); {
	case n(r["interval_ms"]) <= 0:
		b.WriteString("  check-ins in one rhythm: evidence grows with each that comes when it is due.\n")
	case r["insufficient"] == "1":
		fmt.Fprintf(b, "  with ±%s of jitter %d check-ins are needed to conclude anything; there are %d.\n", share("jitter"), least, beats)
	default:
		fmt.Fprintf(b, "  each further check-in around %s adds evidence; gaps elsewhere take it: below %s inside the band nothing is left of it.\n", interval, share("timing_chance"))
	}
}

func explainGrade(b *strings.Builder, r map[string]string) {
	b.WriteString("\nThe grade\n")
	if r["expected"] == "1" {
		fmt.Fprintf(b, "  rule %s (%s) expects this program, destination and period: info, whatever its rhythm.\n", r["rule"], r["rule_source"])
		return
	}
	rhythm := inventory.Rhythm{Found: strings.Contains(r["reason_codes"], "above_threshold"), Sufficient: r["insufficient"] == "0",
		Uniform: strings.Contains(r["reason_codes"], "uniform_sizes")}
	meanings := meanings()
	var weights []int
	var names []string
	for entry := range strings.SplitSeq(r["suspicions"], ",") {
		name, weight, ok := strings.Cut(entry, "=")
		if v, err := strconv.Atoi(weight); ok && err == nil {
			weights, names = append(weights, v), append(names, name)
			fmt.Fprintf(b, "  %-22s weighs %d: %s\n", name, v, meanings[name])
		}
	}
	if len(weights) == 0 {
		b.WriteString("  nothing speaks against the program but its rhythm: never above low.\n")
	}
	b.WriteString("What would change it\n")
	for _, change := range changes(rhythm, names, weights) {
		fmt.Fprintf(b, "  %s\n", change)
	}
	noRhythm := inventory.WouldBe(inventory.Rhythm{}, weights...)
	fmt.Fprintf(b, "  without a rhythm it would be %s; a rule that covers program, destination and period makes it info\n", noRhythm)
}

// changes says which suspicions would have to be gone for another grade: each that would do alone, or else how many of the
// heaviest it takes. Names and weights are in order, the heaviest first.
func changes(rhythm inventory.Rhythm, names []string, weights []int) []string {
	now := inventory.WouldBe(rhythm, weights...)
	var all []string
	for i, name := range names {
		if without := inventory.WouldBe(rhythm, slices.Delete(slices.Clone(weights), i, i+1)...); without != now {
			all = append(all, fmt.Sprintf("without %s it would be %s", name, without))
		}
	}
	for n := 2; len(all) == 0 && n <= len(names); n++ {
		if without := inventory.WouldBe(rhythm, weights[n:]...); without != now {
			return []string{fmt.Sprintf("no suspicion alone: without %s it would be %s", strings.Join(names[:n], ", "), without)}
		}
	}
	return all
}

func explainRule(b *strings.Builder, r map[string]string) {
	if r["expected"] == "1" || r["scope"] == "process" {
		return
	}
	proposals := baseline.Propose([]baseline.Row{r})
	if len(proposals) == 0 {
		b.WriteString("\nNo rule can name it: its process could not be found.\n")
		return
	}
	if p := proposals[0]; p.Refused != "" {
		fmt.Fprintf(b, "\nNo rule can make it expected\n  %s.\n  Instead: %s.\n", p.Refused, p.Instead)
		return
	}
	b.WriteString("\nThe rule that would make it expected, if you can vouch for it\n\n")
	_ = baseline.Write(b, proposals) // a strings.Builder takes everything
}
