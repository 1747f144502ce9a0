package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/export"
)

// eventFormats turn a candidate into an event, one JSON object a line.
var eventFormats = map[string]func(export.Row, export.Context) any{
	"json": func(r export.Row, _ export.Context) any { return r },
	"ecs":  export.ECS,
	"ocsf": export.OCSF,
}

func exportCommand() *cobra.Command {
	var w whom
	var format, output string
	var least float64
	formats := slices.Sorted(maps.Keys(eventFormats))
	formats = append(formats, "csv")
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write candidates as events for a SIEM: ECS, OCSF, JSON lines or CSV",
		Long: `export writes the candidates of the running sensor, or of a private one where none runs, for systems that take no osquery
results: one JSON object a line in the Elastic Common Schema (ecs), as Detection Findings of the Open Cybersecurity Schema
Framework (ocsf), as they stand in the table (json), or as CSV. The id of an event is alert_id: the same finding keeps it
from run to run. Metadata of the detections in the manner of Sigma are among the packs.`,
		Example: `  beaconwatch.ext export --format ecs >> candidates.ndjson
  beaconwatch.ext export --format ocsf --least 0.9 --output findings.ndjson
  beaconwatch.ext export --format csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(formats, format) {
				return usagef("--format is %q, it may be %s", format, strings.Join(formats, ", "))
			}
			if !(least >= 0 && least <= 1) {
				return usagef("--least is %g, it must be between 0 and 1", least)
			}
			cfg, err := w.load()
			if err != nil {
				return err
			}
			ask, done, err := w.connect(cmd, cfg, true)
			if err != nil {
				return err
			}
			defer done()
			columns, values, err := ask.Query(cmd.Context(),
				fmt.Sprintf("SELECT * FROM beacon_candidates WHERE score >= %g AND insufficient = 0 ORDER BY %s, evidence DESC", least, bySeverity))
			if err != nil {
				return err
			}
			name, err := os.Hostname()
			if err != nil {
				return err
			}
			context := export.Context{Host: name, Version: version, Observed: time.Now()}
			return writeWhole(output, cmd.OutOrStdout(), func(w io.Writer) error {
				return writeEvents(w, format, columns, values, context)
			})
		},
	}
	w.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&format, "format", "json", strings.Join(formats, ", "))
	f.StringVarP(&output, "output", "o", "-", "file to write, - for standard output")
	f.Float64Var(&least, "least", 0.5, "least score of a candidate, 0 to 1")
	return cmd
}

// writeEvents writes rows in a format, a line each.
func writeEvents(w io.Writer, format string, columns []string, values [][]string, c export.Context) error {
	if format == "csv" {
		out := csv.NewWriter(w)
		if err := out.Write(columns); err != nil {
			return err
		}
		return out.WriteAll(values)
	}
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, v := range values {
		row := make(export.Row, len(columns))
		for i, name := range columns {
			row[name] = v[i]
		}
		if err := lines.Encode(eventFormats[format](row, c)); err != nil {
			return err
		}
	}
	return out.Flush()
}
