package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// query asks a running sensor, an osquery, or a private sensor of its own.
type query struct {
	whom
	json, csv bool
}

// candidatesSQL is what query answers without a statement to a program; a person gets a listing of the same rows.
const candidatesSQL = `SELECT severity, score, evidence, insufficient, expected, rule, path, script, pid, remote_address, remote_port, interval_ms,
jitter, size_bytes, beats, reason FROM beacon_candidates ORDER BY evidence DESC LIMIT 20`

func queryCommand() *cobra.Command {
	q := &query{}
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Ask the running sensor, or watch and then ask",
		Long: `query runs SQL on the running sensor. Where none runs it watches by itself first, for 30 seconds or as --for says.
Without SQL it opens a prompt on a terminal (.help there), reads statements from standard input where that is not a
terminal, and with --for lists the candidates with the most evidence: grade, rhythm, process, whether a rule expects it, and why.`,
		Example: `  beaconwatch.ext query
  beaconwatch.ext query --for 60s
  beaconwatch.ext query --json "SELECT * FROM beacon_candidates WHERE score >= 0.5"
  beaconwatch.ext query --socket /var/osquery/osquery.em "SELECT * FROM beacon_sensor_status"`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return q.run(cmd, args) },
	}
	q.bind(cmd)
	f := cmd.Flags()
	f.BoolVar(&q.json, "json", false, "print JSON, numbers as numbers and their NULL as null")
	f.BoolVar(&q.csv, "csv", false, "print CSV")
	return cmd
}

func (q *query) run(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return usagef("query takes one statement, not %d words: put it in quotes", len(args))
	case q.json && q.csv:
		return usagef("--json and --csv exclude each other")
	}
	cfg, err := q.load()
	if err != nil {
		return err
	}
	statement := strings.Join(args, "")
	listed := statement == "" && q.watch > 0
	if listed {
		statement = candidatesSQL
	}
	prompt := statement == "" && term.IsTerminal(int(os.Stdin.Fd()))
	if prompt { // there Ctrl-C ends the statement, not the session
		ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
		defer stop()
		cmd.SetContext(ctx)
	}
	ask, done, err := q.connect(cmd, cfg, !prompt)
	if err != nil {
		return err
	}
	defer done()
	if listed && q.mode() == shell.Table {
		return list(cmd, ask)
	}
	sh := shell.New(ask, shell.Config{Mode: q.mode(), Name: "beaconwatch", HistoryFile: historyFile()})
	if statement == "" {
		return sh.Run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
	}
	return sh.Execute(cmd.Context(), statement, cmd.OutOrStdout())
}

// list prints the candidates with the most evidence for a person.
func list(cmd *cobra.Command, ask shell.Querier) error {
	rows, err := rowsOf(cmd.Context(), ask, "SELECT * FROM beacon_candidates ORDER BY evidence DESC LIMIT 20")
	if err != nil {
		return err
	}
	status, err := rowsOf(cmd.Context(), ask, "SELECT * FROM beacon_sensor_status")
	if err != nil || len(status) == 0 {
		return errors.Join(errors.New("the sensor says nothing of itself"), err)
	}
	return listing{rows: len(rows), who: true}.write(cmd.OutOrStdout(), rows, status[0])
}

func (q *query) mode() shell.Mode {
	switch {
	case q.json:
		return shell.JSON
	case q.csv:
		return shell.CSV
	}
	return shell.Table
}

// historyFile keeps what was typed at the prompt beside the user's other histories.
func historyFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".beaconwatch_history")
}
