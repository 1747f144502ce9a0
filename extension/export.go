package main

import (
	"bufio"
	"cmp"
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
	"json": export.JSON,
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
Framework (ocsf), as they stand in the table (json: numbers are numbers, what is not known is null), or as CSV; in the last two
the column host is this host. The id of an event is alert_id: the same finding keeps it from run to run. The time of an ECS
event is that of the latest check-in. Metadata of the detections in the manner of Sigma are among the packs.`,
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
			if err := canHold(output); err != nil {
				return err
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
			sql := fmt.Sprintf("SELECT * FROM beacon_candidates WHERE score >= %g AND insufficient = 0 ORDER BY %s, evidence DESC", least, bySeverity)
			columns, values, err := ask.Query(cmd.Context(), sql)
			if err != nil {
				return err
			}
			names, types, err := ask.Columns(cmd.Context(), sql)
			if err != nil {
				return err
			}
			host, err := os.Hostname()
			if err != nil {
				return err
			}
			context := export.Context{Host: host, Version: version, Observed: time.Now(), Types: map[string]string{}}
			for i, name := range names {
				context.Types[name] = types[i]
			}
			return writeWhole(output, cmd.OutOrStdout(), func(w io.Writer) error {
				return writeEvents(w, format, columns, values, context)
			})
		},
	}
	w.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&format, "format", "json", strings.Join(formats, ", "))
	offer(cmd, "format", formats...)
	f.StringVarP(&output, "output", "o", "-", "file to write, - for standard output")
	f.Float64Var(&least, "least", 0.5, "least score of a candidate, 0 to 1")
	return cmd
}

// writeEvents writes rows in a format, a line each. The host is ours wherever a row names none: only recorded traffic does.
func writeEvents(w io.Writer, format string, columns []string, values [][]string, c export.Context) error {
	if i := slices.Index(columns, "host"); i >= 0 {
		for _, v := range values {
			v[i] = cmp.Or(v[i], c.Host)
		}
	}
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
