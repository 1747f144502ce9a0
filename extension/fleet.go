package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/fleet"
	"github.com/beaconwatch/beaconwatch/internal/shell"
	packs "github.com/beaconwatch/beaconwatch/packs/fleet"
)

// fleetLogs answers questions about the result logs of many hosts.
type fleetLogs struct {
	rollup, show, assets, db, now string
	silent                        time.Duration
	list, json, csv               bool
}

func fleetCommand() *cobra.Command {
	f := &fleetLogs{}
	cmd := &cobra.Command{
		Use:   "fleet RESULTS.log... [SQL]",
		Short: "Ask about the result logs of many hosts: prevalence, cases, coverage",
		Long: `fleet reads the result and snapshot logs of osqueryd, as it, Fleet or a shipper wrote them: differential, snapshot, event and
batched lines, plain, gzip or zstd, - for standard input. Lines may be repeated, late and out of order: each row counts
once. It runs a rollup over them, or the SQL given, on the table beacon_results; the columns that a row had are in its own
column "columns" as well (columns ->> 'cmdline').

A line that cannot be read is named, the rest is loaded, and the exit code is 1. Memory is bounded whatever the size of the
files; rows are kept in a temporary database, or with --db in one that stays and can be added to.

The same rollups run on PostgreSQL and ClickHouse: --show prints them and the tables they need.`,
		Example: `  beaconwatch.ext fleet --list
  beaconwatch.ext fleet /var/log/osquery-fleet/*.log.gz
  beaconwatch.ext fleet --rollup coverage --assets hosts.csv --csv fleet.log > evidence.csv
  beaconwatch.ext fleet --db fleet.db today.log "SELECT host, path, reason_codes FROM beacon_results WHERE kind = 'candidate'"
  beaconwatch.ext fleet --show clickhouse > schema.sql`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	underscores(flags)
	flags.StringVar(&f.rollup, "rollup", "prevalence", "the rollup to run")
	flags.BoolVar(&f.list, "list", false, "list the rollups")
	flags.StringVar(&f.show, "show", "", "print the SQL of a rollup, or the tables for an engine: "+strings.Join(fleet.Engines(), ", "))
	flags.StringVar(&f.assets, "assets", "", "file of the hosts that should report: a host on each line, perhaps with its role after a comma")
	flags.StringVar(&f.db, "db", "", "keep the rows in this SQLite database")
	flags.StringVar(&f.now, "now", "", "what counts as now, such as 2026-11-28T05:00:00Z (default: the time of the newest row)")
	flags.DurationVar(&f.silent, "silent_after", fleet.DefaultSilent, "after how long without a line a host is silent")
	flags.BoolVar(&f.json, "json", false, "print JSON, numbers as numbers and their NULL as null")
	flags.BoolVar(&f.csv, "csv", false, "print CSV")
	return cmd
}

func (f *fleetLogs) run(cmd *cobra.Command, args []string) error {
	rollups, err := fleet.Rollups(packs.Rollups)
	if err != nil {
		return err
	}
	switch {
	case f.json && f.csv:
		return usagef("--json and --csv exclude each other")
	case f.list:
		return f.printList(cmd, rollups)
	case f.show != "":
		return f.printSQL(cmd.OutOrStdout(), rollups)
	}
	files, statement, err := f.question(cmd, args, rollups)
	if err != nil {
		return err
	}
	config := fleet.Config{Path: f.db, Silent: f.silent, Views: packs.Cases}
	if f.silent <= 0 {
		return usagef("--silent_after is %v, it must be positive", f.silent)
	}
	if f.now != "" {
		now, err := time.Parse(time.RFC3339, f.now)
		if err != nil || now.Unix() <= 0 {
			return usagef("--now: %q is not a time such as 2026-11-28T05:00:00Z", f.now)
		}
		config.Now = now.Unix()
	}
	return f.answer(cmd, config, files, statement)
}

// question tells files and statement apart.
func (f *fleetLogs) question(cmd *cobra.Command, args []string, rollups []fleet.Rollup) (files []string, statement string, err error) {
	if len(args) == 0 && f.db == "" {
		return nil, "", usagef("fleet needs at least one file, or - for standard input")
	}
	if len(args) > 0 {
		files, statement = splitStatement(args)
	}
	if len(files) == 0 && f.db == "" {
		return nil, "", usagef("fleet needs at least one file before the statement")
	}
	if statement != "" {
		if cmd.Flags().Changed("rollup") {
			return nil, "", usagef("--rollup and a statement exclude each other")
		}
		return files, statement, nil
	}
	at := slices.IndexFunc(rollups, func(r fleet.Rollup) bool { return r.Name == f.rollup })
	if at < 0 {
		return nil, "", usagef("there is no rollup %q; --list lists them", f.rollup)
	}
	return files, rollups[at].SQL, nil
}

func (f *fleetLogs) answer(cmd *cobra.Command, config fleet.Config, files []string, statement string) error {
	ctx, messages := cmd.Context(), cmd.ErrOrStderr()
	store, err := fleet.Open(ctx, config)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	defer store.Close()
	if f.assets != "" {
		if err := store.LoadAssets(ctx, f.assets, interruptible(ctx, cmd.InOrStdin())); err != nil {
			return usagef("fleet: --assets %w", err)
		}
	}
	if err := loadFleet(cmd, store, files); err != nil {
		return fmt.Errorf("fleet %w", err)
	}
	q := query{json: f.json, csv: f.csv}
	sh := shell.New(progressing{store, messages}, shell.Config{Mode: q.mode(), Name: extensionName})
	if err := sh.Execute(ctx, statement, cmd.OutOrStdout()); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	return complain(messages, "fleet", store.Stats().Faults)
}

// loadFleet reads result logs and says how far it is, and what they held.
func loadFleet(cmd *cobra.Command, store *fleet.Store, files []string) error {
	stdin := interruptible(cmd.Context(), cmd.InOrStdin())
	hide := showProgress(cmd.ErrOrStderr(), func() string { return "reading" + share(store.Progress()) })
	var err error
	for _, path := range files {
		if err = store.Load(cmd.Context(), path, stdin); err != nil {
			break
		}
	}
	hide()
	if err == nil {
		tellFleet(cmd.ErrOrStderr(), store.Stats())
	}
	return err
}

// progressing shows that a query is running.
type progressing struct {
	*fleet.Store
	messages io.Writer
}

func (p progressing) Query(ctx context.Context, sql string) ([]string, [][]string, error) {
	begun := time.Now()
	hide := showProgress(p.messages, func() string { return fmt.Sprintf("asking, %.0f s", time.Since(begun).Seconds()) })
	defer hide()
	return p.Store.Query(ctx, sql)
}

// tellFleet says on standard error what was read.
func tellFleet(w io.Writer, s fleet.Stats) {
	fmt.Fprintf(w, "%s read, %s", figure.Count(int(s.Lines), "line"), figure.Count(int(s.Rows), "row"))
	if s.Duplicates > 0 {
		fmt.Fprintf(w, ", %d known already", s.Duplicates)
	}
	if s.Skipped > 0 {
		fmt.Fprintf(w, ", %s of the status log skipped", figure.Count(int(s.Skipped), "line"))
	}
	if s.Bad > 0 {
		fmt.Fprintf(w, ", %s", figure.Count(int(s.Bad), "bad line"))
	}
	fmt.Fprintln(w)
}

// printList prints the names of the rollups and what they answer.
func (f *fleetLogs) printList(cmd *cobra.Command, rollups []fleet.Rollup) error {
	rows := make([][]string, len(rollups))
	for i, r := range rollups {
		rows[i] = []string{r.Name, r.About}
	}
	q := query{json: f.json, csv: f.csv}
	return shell.Print(cmd.OutOrStdout(), q.mode(), shell.Layout{}, []string{"rollup", "answers"}, nil, rows)
}

// printSQL prints a rollup or a schema.
func (f *fleetLogs) printSQL(w io.Writer, rollups []fleet.Rollup) error {
	for _, r := range rollups {
		if r.Name == f.show {
			_, err := io.WriteString(w, r.SQL)
			return err
		}
	}
	text, err := fleet.Schema(f.show)
	if err != nil {
		return usagef("--show: there is no rollup and no engine %q; --list lists the rollups, engines are %s", f.show, strings.Join(fleet.Engines(), ", "))
	}
	_, err = io.WriteString(w, text+"\n"+packs.Cases)
	return err
}
