package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/replay"
	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// reporting writes a report of whatever can be asked for candidates.
type reporting struct {
	whom
	output string
	least  float64
	limit  int
	fleet  bool
	local  []string
}

func reportCommand() *cobra.Command {
	r := &reporting{}
	cmd := &cobra.Command{
		Use:   "report [FILE...]",
		Short: "Write the candidates as one HTML file that needs nothing else",
		Long: `report writes one HTML file: a summary, and for each candidate when it checked in, its intervals and payload sizes against
what chance would give, the process and its ancestors, the reasons, what was not seen, and what to do next. The file loads
nothing and runs nothing; it can be mailed, archived and printed.

Without FILE it asks the running sensor, or watches by itself where none runs. FILE may be recorded traffic as replay reads
it, or the histories file of a sensor's state directory; with --fleet, osquery's result logs of many hosts.`,
		Example: `  beaconwatch.ext report
  beaconwatch.ext report --for 10m -o tonight.html
  beaconwatch.ext report conn.log.gz
  beaconwatch.ext report /var/lib/beaconwatch/histories
  beaconwatch.ext report --fleet results.log snapshots.log -o fleet.html`,
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd, args) },
	}
	r.bind(cmd)
	f := cmd.Flags()
	f.StringVarP(&r.output, "output", "o", "report.html", "file to write, - for standard output")
	f.Float64Var(&r.least, "least", 0.5, "least score of a candidate, 0 to 1")
	f.IntVar(&r.limit, "limit", 100, "most candidates")
	f.BoolVar(&r.fleet, "fleet", false, "the files are result logs of a fleet")
	f.StringSliceVar(&r.local, "local", nil, "in recorded traffic, our own networks, as CIDR")
	return cmd
}

func (r *reporting) run(cmd *cobra.Command, files []string) error {
	switch {
	case !(r.least >= 0 && r.least <= 1):
		return usagef("--least is %g, it must be between 0 and 1", r.least)
	case r.limit < 1 || r.limit > 10_000:
		return usagef("--limit is %d, it must be 1 to 10000", r.limit)
	case r.fleet && len(files) == 0:
		return usagef("--fleet needs at least one result log")
	}
	if err := canHold(r.output); err != nil {
		return err
	}
	cfg, err := r.load()
	if err != nil {
		return err
	}
	data, err := r.collect(cmd, cfg, files)
	if err != nil {
		return err
	}
	data.Version, data.Generated, data.Codes = version, time.Now(), meanings()
	if err := writeWhole(r.output, cmd.OutOrStdout(), func(w io.Writer) error { return report.Write(w, data) }); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s in %s\n", figure.Count(len(data.Candidates), "candidate"), r.output)
	return nil
}

// collect gets the rows from wherever they are.
func (r *reporting) collect(cmd *cobra.Command, cfg config.Config, files []string) (report.Data, error) {
	switch {
	case r.fleet:
		return r.ofFleet(cmd, files)
	case len(files) == 0:
		ask, done, err := r.connect(cmd, cfg, true)
		if err != nil {
			return report.Data{}, err
		}
		defer done()
		name, err := os.Hostname()
		if err != nil {
			name = "this host"
		}
		return r.ofTables(cmd, ask, "host "+name, true)
	case len(files) == 1 && isHistories(files[0]):
		host, err := savedTables(cfg, files[0])
		if err != nil {
			return report.Data{}, err
		}
		defer host.Close()
		return r.ofTables(cmd, host, "histories in "+files[0], false)
	}
	networks, err := prefixes(r.local)
	if err != nil {
		return report.Data{}, err
	}
	replayed := replayed{flags: r.flags}
	host, _, err := replayed.load(cmd, cfg, files, replay.Config{Local: networks, Stdin: interruptible(cmd.Context(), cmd.InOrStdin())})
	if err != nil {
		return report.Data{}, err
	}
	defer host.Close()
	return r.ofTables(cmd, host, "recorded traffic in "+strings.Join(files, ", "), false)
}

// ofTables asks the tables; live says that there is a sensor to ask how well it sees.
func (r *reporting) ofTables(cmd *cobra.Command, ask shell.Querier, source string, live bool) (data report.Data, err error) {
	ctx := cmd.Context()
	data.Source = source
	if live {
		status, err := rowsOf(ctx, ask, "SELECT * FROM beacon_sensor_status")
		if err != nil {
			return data, err
		}
		if len(status) == 1 {
			data.Status = status[0]
		}
		if data.Sources, err = rowsOf(ctx, ask, "SELECT * FROM beacon_sensor_sources"); err != nil {
			return data, err
		}
	}
	all, err := rowsOf(ctx, ask, "SELECT count(*) AS n FROM beacon_candidates")
	if err != nil {
		return data, err
	}
	if _, err := fmt.Sscan(all[0]["n"], &data.Considered); err != nil {
		return data, fmt.Errorf("count candidates: %w", err)
	}
	rows, err := rowsOf(ctx, ask, fmt.Sprintf("SELECT * FROM beacon_candidates WHERE score >= %g AND insufficient = 0 ORDER BY %s, evidence DESC LIMIT %d",
		r.least, bySeverity, r.limit))
	if err != nil {
		return data, err
	}
	if len(rows) == r.limit {
		if data.Graded, err = graded(ctx, ask, r.least); err != nil {
			return data, err
		}
	}
	if live {
		if err := markEnded(ctx, ask, rows); err != nil {
			return data, err
		}
	}
	data.Candidates, err = withBursts(cmd, ask, rows)
	return data, err
}

// withBursts asks for the check-ins of each row.
func withBursts(cmd *cobra.Command, ask shell.Querier, rows []map[string]string) ([]report.Candidate, error) {
	all := make([]report.Candidate, len(rows))
	var asked atomic.Int64
	hide := showProgress(cmd.ErrOrStderr(), func() string {
		return fmt.Sprintf("reading check-ins: %d of %s", asked.Load(), figure.Count(len(rows), "candidate"))
	})
	defer hide()
	for i, row := range rows {
		found, err := bursts(cmd.Context(), ask, row)
		if err != nil {
			return nil, err
		}
		all[i] = report.Candidate{Row: row, Bursts: found}
		asked.Add(1)
	}
	return all, nil
}

// graded counts the candidates of a report by severity, as if it had no limit.
func graded(ctx context.Context, ask shell.Querier, least float64) (map[string]int, error) {
	rows, err := rowsOf(ctx, ask, fmt.Sprintf("SELECT severity, count(*) AS n FROM beacon_candidates WHERE score >= %g AND insufficient = 0 GROUP BY severity", least))
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, row := range rows {
		count[row["severity"]] = int(figure.Number(row["n"]))
	}
	return count, nil
}

// markEnded says of rows whose process has ended that it has.
func markEnded(ctx context.Context, ask shell.Querier, rows []map[string]string) error {
	found, err := rowsOf(ctx, ask, "SELECT DISTINCT pid, start_time FROM process_outbound_stats WHERE exited = 1")
	if err != nil {
		return err
	}
	gone := map[[2]string]bool{}
	for _, p := range found {
		gone[[2]string{p["pid"], p["start_time"]}] = true
	}
	for _, row := range rows {
		if gone[[2]string{row["pid"], row["start_time"]}] {
			row["exited"] = "1"
		}
	}
	return nil
}

// bursts are the micro-bursts of a candidate's series, in order.
func bursts(ctx context.Context, ask shell.Querier, row report.Row) ([]report.Burst, error) {
	// what came since the row was made is not what it speaks of
	found, err := rowsOf(ctx, ask, "SELECT time_ms, bytes FROM process_send_history WHERE "+report.History(row)+
		" AND time <= "+cmp.Or(row["last_seen"], "time")+" ORDER BY time_ms")
	if err != nil {
		return nil, err
	}
	all := make([]report.Burst, len(found))
	for i, b := range found {
		if _, err := fmt.Sscan(b["time_ms"], &all[i].At); err != nil {
			return nil, fmt.Errorf("time of a micro-burst: %w", err)
		}
		if _, err := fmt.Sscan(b["bytes"], &all[i].Bytes); err != nil {
			return nil, fmt.Errorf("bytes of a micro-burst: %w", err)
		}
	}
	return all, nil
}
