package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/coverage"
	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// report prints the verdicts, writes the files asked for, and fails if a promise was not kept.
func (c *covering) report(cmd *cobra.Command, e coverage.Evidence) error {
	if c.evidence != "" {
		if err := coverage.WriteEvidence(c.evidence, c.key, e); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "evidence in %s\n", c.evidence)
	}
	if c.junit != "" {
		text, err := coverage.JUnit(e.Verdicts, e.Finished.Sub(e.Started))
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.junit, text, 0o644); err != nil {
			return err
		}
	}
	if c.json {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		if err := out.Encode(e); err != nil {
			return err
		}
	} else if err := printVerdicts(cmd.OutOrStdout(), e); err != nil {
		return err
	}
	for i := range e.Verdicts {
		if !e.Verdicts[i].OK() {
			return errSilent
		}
	}
	return nil
}

func printVerdicts(w io.Writer, e coverage.Evidence) error {
	fmt.Fprintf(w, "\nCoverage of %s at level %s, run %s\n\n", e.Host, e.Status["level"], e.Run)
	fmt.Fprintf(w, "%-22s %-10s %-7s %-9s %6s %6s  %s\n", "shape", "verdict", "grade", "process", "after", "sent", "imitates")
	for i := range e.Verdicts {
		v := &e.Verdicts[i]
		verdict, after, who := "MISSED", "–", "–"
		switch {
		case v.Skipped != "":
			verdict = "skipped"
		case v.Found:
			verdict, after, who = "found", fmt.Sprint(v.AfterBeats), "unknown"
			if v.Attributed {
				who = "named"
			}
		case !v.Promised:
			verdict = "blind spot"
		}
		fmt.Fprintf(w, "%-22s %-10s %-7s %-9s %6s %6d  %s\n", v.Shape, verdict, v.Severity, who, after, v.Sent, v.What)
		switch {
		case v.Skipped != "":
			fmt.Fprintf(w, "    %s\n", v.Skipped)
		case v.Reason != "":
			fmt.Fprintf(w, "    %s\n", strings.Join(figure.Wrap(v.Reason, 112, 1), ""))
		case !v.Found && v.Promised:
			fmt.Fprintf(w, "    the guide promises it at this level: see packs/blind-spots.md, and beaconwatch.ext doctor\n")
		}
	}
	_, err := fmt.Fprintf(w, "\nafter: check-ins until it was a candidate with enough of them; sent: what the senders say they did, where the gaps are those between what\n"+
		"was seen: an attempt that fails, or a send told in two parts, is one more; every row is in the table and carries coverage_run %s\n", e.Run)
	return err
}
