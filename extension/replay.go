package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/replay"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// replayed reads recorded traffic through the same history, ranking and tables as live traffic.
type replayed struct {
	flags     configFlags
	local     []string
	json, csv bool
}

// replaySQL is what replay answers without a statement: the question a RITA user asks.
const replaySQL = `SELECT score, host, remote_address, remote_port, interval_ms, jitter, size_bytes, beats, reason
FROM beacon_candidates WHERE insufficient = 0 AND score >= 0.5 ORDER BY evidence DESC`

// replayPairs bounds the pairs of a replay unless max_pairs says otherwise: a network has more than a host.
const replayPairs = 100_000

func replayCommand() *cobra.Command {
	r := &replayed{}
	cmd := &cobra.Command{
		Use:   "replay FILE... [SQL]",
		Short: "Read recorded traffic (Zeek conn.log, JSON Lines) and ask about it in SQL",
		Long: `replay reads Zeek conn.log (TSV or JSON) and flows in JSON Lines, plain, gzip or zstd, - for standard input, through the
same path as live traffic. Such files know hosts, not processes: the originating host is the key and the host column.
Destinations that are not outbound (loopback, link-local, multicast, broadcast) are left out of beacon_candidates unless
--include names them. Memory is bounded by pairs, not by the size of the files.`,
		Example: `  beaconwatch.ext replay conn.log
  beaconwatch.ext replay conn.*.log.gz "SELECT host, remote_address, beats, score, reason FROM beacon_candidates ORDER BY evidence DESC LIMIT 10"
  beaconwatch.ext replay --local 192.0.2.0/24 --json conn.log`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("replay needs at least one file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd, args) },
	}
	r.flags.bindAside(cmd, "include", "threshold", "max_pairs")
	f := cmd.Flags()
	f.StringSliceVar(&r.local, "local", nil, "our own networks, as CIDR; default: what local_orig says, else private addresses")
	f.BoolVar(&r.json, "json", false, "print JSON, numbers as numbers and their NULL as null")
	f.BoolVar(&r.csv, "csv", false, "print CSV")
	return cmd
}

func (r *replayed) run(cmd *cobra.Command, args []string) error {
	files, statement := splitStatement(args)
	statement = cmp.Or(statement, replaySQL)
	if len(files) == 0 {
		return usagef("replay needs at least one file before the statement")
	}
	if r.json && r.csv {
		return usagef("--json and --csv exclude each other")
	}
	for _, file := range files {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && file != "-" {
			return usagef("there is no file %q, and it is no statement either: those come last, in quotes", file)
		}
	}
	local, err := prefixes(r.local)
	if err != nil {
		return err
	}
	cfg, err := r.flags.load()
	if err != nil {
		return err
	}
	from := replay.Config{Local: local, Stdin: interruptible(cmd.Context(), cmd.InOrStdin())}
	host, stats, err := r.load(cmd, cfg, files, from)
	if err != nil {
		return err
	}
	defer host.Close()
	q := query{json: r.json, csv: r.csv}
	sh := shell.New(host, shell.Config{Mode: q.mode(), Name: extensionName})
	if err := sh.Execute(cmd.Context(), statement, cmd.OutOrStdout()); err != nil {
		return err
	}
	return complain(cmd.ErrOrStderr(), "replay", stats.Faults)
}

// splitStatement takes the last word as the statement if it is no file and reads like one; otherwise there is none.
func splitStatement(args []string) (files []string, statement string) {
	last := args[len(args)-1]
	if _, err := os.Stat(last); err != nil && last != "-" && strings.ContainsAny(last, " \n\t") {
		return args[:len(args)-1], last
	}
	return args, ""
}

// load reads all files into a history and returns a host with the tables over it, and what became of the lines.
func (r *replayed) load(cmd *cobra.Command, cfg config.Config, files []string, from replay.Config) (*sqlhost.Host, replay.Stats, error) {
	reader, err := replay.Open(files, from)
	if err != nil {
		return nil, replay.Stats{}, err
	}
	defer reader.Close()
	pairs := replayPairs
	if r.flags.flags.Changed("max_pairs") {
		pairs = cfg.MaxPairs
	}
	names := map[netip.Addr]string{}
	included := include(cfg.Include)
	store, err := history.New(history.Config{MaxPairs: pairs, MaxFlows: pairs, MaxBursts: cfg.MaxBursts, MaxBytes: pairs * 4 << 10,
		Joins: func(d send.Destination) bool { return included(send.Classify(d.Remote.Addr(), nil)) }})
	if err != nil {
		return nil, replay.Stats{}, err
	}
	hide := showProgress(cmd.ErrOrStderr(), func() string { return "reading" + share(reader.Progress()) })
	err = reader.Run(cmd.Context(), func(rec *replay.Record) {
		if rec.Hostname != "" && len(names) < pairs {
			names[rec.Send.Socket.Remote.Addr()] = rec.Hostname
		}
		key := history.Key{Host: rec.Host, Program: process.Program{Path: process.Printable(rec.Process, process.MaxText)}}
		store.Record(&key, process.ID{}, &rec.Send)
	})
	hide()
	if err != nil {
		return nil, replay.Stats{}, err
	}
	tellReplay(cmd.ErrOrStderr(), reader.Stats(), store.Stats())
	named := func(a netip.Addr) (string, string) {
		if name, ok := names[a]; ok {
			return name, "recorded"
		}
		return "", ""
	}
	ranker, err := candidate.New(candidate.Config{Store: store, Scorer: scoring(cfg), Include: included,
		Grading: candidate.Grading{Clock: boottime.Recorded(), Hostname: named}})
	if err != nil {
		return nil, replay.Stats{}, err
	}
	ranker.Refresh()
	host, err := newTableHost(table.All(table.Deps{Store: store, Ranker: ranker, Clock: boottime.Recorded(), Role: cfg.Role, Replay: true, Hostname: named,
		Nowhere: replay.Nowhere}), nil)
	return host, reader.Stats(), err
}

// tellReplay says on standard error what was read, what was not and why.
func tellReplay(w io.Writer, s replay.Stats, h history.Stats) {
	fmt.Fprintf(w, "%s read, %s", figure.Count(int(s.Rows), "row"), figure.Count(int(h.Pairs), "pair"))
	if h.Evictions > 0 {
		fmt.Fprintf(w, " (%d with the least evidence forgotten: raise --max_pairs)", h.Evictions)
	}
	for i, n := range s.Skipped {
		if n > 0 {
			fmt.Fprintf(w, ", %d skipped: %s", n, replay.Skip(i))
		}
	}
	if s.Late > 0 {
		fmt.Fprintf(w, ", %d out of order", s.Late)
	}
	fmt.Fprintln(w)
}
