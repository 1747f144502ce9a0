package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// query asks a running sensor, an osquery, or a private sensor of its own.
type query struct {
	flags     configFlags
	watch     time.Duration
	json, csv bool
	socket    string
	ownSensor bool
}

// candidatesSQL is what query answers without a statement.
const candidatesSQL = `SELECT score, path, script, remote_address, remote_port, interval_ms, jitter, size_bytes, beats, reason
FROM beacon_candidates WHERE insufficient = 0 ORDER BY evidence DESC LIMIT 20`

// defaultWatch is how long a private sensor observes before it answers, unless told otherwise.
const defaultWatch = 30 * time.Second

func queryCommand() *cobra.Command {
	q := &query{}
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Ask the running sensor, or watch and then ask",
		Long: `query runs SQL on the running sensor. Where none runs it watches by itself first, for 30 seconds or as --for says.
Without SQL it opens a prompt on a terminal (.help there), reads statements from standard input where that is not a
terminal, and with --for prints the candidates.`,
		Example: `  beaconwatch.ext query
  beaconwatch.ext query --for 60s
  beaconwatch.ext query --json "SELECT * FROM beacon_candidates WHERE score >= 0.5"
  beaconwatch.ext query --socket /var/osquery/osquery.em "SELECT * FROM beacon_sensor_status"`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return q.run(cmd, args) },
	}
	q.flags.bindAside(cmd, "listen_socket", "include", "level")
	f := cmd.Flags()
	f.DurationVar(&q.watch, "for", 0, "observe for this long before answering")
	f.BoolVar(&q.json, "json", false, "print JSON")
	f.BoolVar(&q.csv, "csv", false, "print CSV")
	f.StringVar(&q.socket, "socket", "", "ask the osquery at this extensions socket")
	f.BoolVar(&q.ownSensor, "own_sensor", false, "start a private sensor even if one is running")
	return cmd
}

func (q *query) run(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return usagef("query takes one statement, not %d words: put it in quotes", len(args))
	case q.json && q.csv:
		return usagef("--json and --csv exclude each other")
	case q.watch < 0:
		return usagef("--for is %s, it must not be negative", q.watch)
	case q.socket != "" && q.ownSensor:
		return usagef("--socket and --own_sensor exclude each other")
	}
	cfg, err := q.flags.load()
	if err != nil {
		return err
	}
	statement := strings.Join(args, "")
	if statement == "" && q.watch > 0 {
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
	sh := shell.New(ask, shell.Config{Mode: q.mode(), Name: "beaconwatch", HistoryFile: historyFile()})
	if statement == "" {
		return sh.Run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
	}
	return sh.Execute(cmd.Context(), statement, cmd.OutOrStdout())
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

// connect finds whom to ask; once says that there is no prompt, so that a private sensor must watch before it answers.
func (q *query) connect(cmd *cobra.Command, cfg config.Config, once bool) (shell.Querier, func(), error) {
	if q.socket != "" {
		client, err := shell.Dial(q.socket, 30*time.Second)
		if err != nil {
			return nil, nil, err
		}
		return client, func() { client.Close() }, observe(cmd, q.watch)
	}
	if !q.ownSensor {
		client, err := shell.Dial(cfg.ListenSocket, 30*time.Second)
		if err == nil {
			return client, func() { client.Close() }, observe(cmd, q.watch)
		}
		if !errors.Is(err, shell.ErrNoSocket) {
			return nil, nil, err
		}
	}
	if once && q.watch == 0 {
		q.watch = defaultWatch
	}
	return q.private(cmd, cfg)
}

// private starts a sensor for this command alone.
func (q *query) private(cmd *cobra.Command, cfg config.Config) (shell.Querier, func(), error) {
	in, err := newInstrument(cfg, logger(cfg, false))
	if err != nil {
		return nil, nil, err
	}
	host, err := newTableHost(in.plugins, nil)
	if err != nil {
		return nil, nil, err
	}
	watching, stop := context.WithCancel(cmd.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.sensor.Run(watching) }()
	done := func() {
		stop()
		<-ended
		host.Close()
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "No sensor is running: watching with a private one.")
	if err := observe(cmd, q.watch); err != nil {
		done()
		return nil, nil, err
	}
	return host, done, nil
}

// observe waits, and says how long.
func observe(cmd *cobra.Command, d time.Duration) error {
	if d == 0 {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Observing for %s.\n", d)
	select {
	case <-cmd.Context().Done():
		return cmd.Context().Err()
	case <-time.After(d):
		return nil
	}
}

// historyFile keeps what was typed at the prompt beside the user's other histories.
func historyFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".beaconwatch_history")
}
