package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/internal/terminal"
)

func topCommand() *cobra.Command {
	var w whom
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch candidates live, and any of them close up",
		Long: `top shows the candidates of the running sensor as they change, most evidence first; ? lists the keys. Where no sensor runs it
watches with a private one. It needs a terminal of 80 columns and no colours; NO_COLOR is honoured.`,
		Example: `  beaconwatch.ext top
  beaconwatch.ext top --socket /var/osquery/osquery.em
  ssh -t web-1 beaconwatch.ext top`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !term.IsTerminal(int(os.Stdout.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
				return usagef("top needs a terminal (ssh -t gives one); query and report do without")
			}
			if every < 100*time.Millisecond {
				return usagef("--every is %s, it must be at least 100ms", every)
			}
			cfg, err := w.load()
			if err != nil {
				return err
			}
			ask, done, err := w.connect(cmd, cfg, false)
			if err != nil {
				return err
			}
			defer done()
			return terminal.Run(cmd.Context(), terminal.Config{Every: every, Source: w.said(), History: report.History,
				Ask: func(ctx context.Context, sql string) ([]terminal.Row, error) { return rowsOf(ctx, ask, sql) }})
		},
	}
	w.bind(cmd)
	cmd.Flags().DurationVar(&every, "every", time.Second, "time between refreshes")
	return cmd
}

// said is whom a command asks, in a few words.
func (w *whom) said() string {
	switch {
	case w.socket != "":
		return "osquery at " + w.socket
	case w.started != nil:
		return "private sensor"
	}
	return "running sensor"
}
