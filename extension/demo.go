package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

// demo watches the live host while honest senders run on loopback, then compares what SQL says with what they did.
type demo struct {
	watch time.Duration
	twist string
	out   io.Writer
	err   io.Writer
}

func demoCommand() *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch three beacons and three benign neighbours on loopback, and this host, for 40 seconds",
		Long: `demo starts a private sensor on this host and six senders on loopback: a beacon with jitter, a beacon that is a new
process for each beat, a chunked exfiltration, and three benign neighbours. Then it prints beacon_candidates and compares
the rows with the senders' own record. It exits 1 if they disagree. Names, ports and seeds are drawn anew each run.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out, d.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return d.run(cmd.Context())
		},
	}
	underscores(cmd.Flags())
	cmd.Flags().DurationVar(&d.watch, "for", 40*time.Second, "how long to watch")
	cmd.Flags().StringVar(&d.twist, "twist", "", "no-beacon: leave the beacons out; the comparison must then fail")
	return cmd
}

func (d *demo) run(ctx context.Context) error {
	if d.twist != "" && d.twist != "no-beacon" {
		return usagef("--twist knows only no-beacon, not %q", d.twist)
	}
	if d.watch < 20*time.Second || d.watch > time.Hour {
		return usagef("--for is %s, it must be between 20s and 1h: fewer beats prove nothing", d.watch)
	}
	cast, err := newCast(ctx, d.watch)
	if err != nil {
		return err
	}
	defer cast.close()
	d.introduce(cast)
	rows, status, err := d.observe(ctx, cast)
	if err != nil {
		return err
	}
	if err := (listing{rows: 12}).write(d.out, rows, status); err != nil {
		return err
	}
	if !compare(d.out, cast.actors, rows) {
		return errSilent
	}
	return nil
}

func (d *demo) introduce(c *cast) {
	fmt.Fprintf(d.out, "Watching this host for %s, with %d senders on loopback (class loopback is included for this run only).\n",
		d.watch, len(c.actors))
	if !namesAll() {
		fmt.Fprintln(d.out, ordinary)
	}
	if d.twist == "no-beacon" {
		fmt.Fprintln(d.out, "Twist: the beacons stay silent, so the comparison at the end must fail.")
	}
}

// observe runs sensor and senders and returns the ranked rows with the status row.
func (d *demo) observe(ctx context.Context, c *cast) (rows []map[string]string, status map[string]string, err error) {
	cfg := config.Default()
	cfg.Include = []string{"loopback"}
	cfg.CPUBudget = 0.1 // for so short a time every beat must be seen, even where a look is dear and the machine is busy
	in, err := newInstrument(cfg, quietLogger(cfg))
	if err != nil {
		return nil, nil, err
	}
	host, err := newTableHost(in.plugins, nil)
	if err != nil {
		return nil, nil, err
	}
	defer host.Close()
	watching, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- in.sensor.Run(watching) }()
	defer func() { stop(); <-ended }()

	if err := watchingSince(ctx, in); err != nil {
		return nil, nil, err
	}
	acting, curtain := context.WithTimeout(ctx, d.watch)
	defer curtain()
	done := make(chan error, 1)
	go func() { done <- c.play(acting, d.twist != "no-beacon") }()
	first, stopLooking := context.WithCancel(acting)
	looked := make(chan error, 1)
	go func() { looked <- d.first(first, host) }()
	d.progress(ctx, done)
	stopLooking()
	if err := <-looked; err != nil {
		return nil, nil, err
	}
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if err := c.err(); err != nil {
		return nil, nil, err
	}
	if err := settle(ctx, host, c.dir); err != nil {
		return nil, nil, err
	}
	if rows, err = rowsOf(ctx, host, "SELECT * FROM beacon_candidates WHERE scope = 'destination' ORDER BY evidence DESC"); err != nil {
		return nil, nil, err
	}
	all, err := rowsOf(ctx, host, "SELECT * FROM beacon_sensor_status")
	if err != nil || len(all) != 1 {
		return nil, nil, fmt.Errorf("no status row: %w", err)
	}
	return rows, all[0], nil
}

// first prints the first candidate that is conclusive as soon as there is one, which is long before the end.
func (d *demo) first(ctx context.Context, host *sqlhost.Host) error {
	begun := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		rows, err := rowsOf(ctx, host, `SELECT * FROM beacon_candidates WHERE scope = 'destination' AND insufficient = 0 AND score >= 0.5
			AND severity <> 'info' ORDER BY evidence DESC LIMIT 1`)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(rows) == 0:
			continue
		}
		var row strings.Builder
		fmt.Fprintf(&row, "\nThe first candidate, after %.0f s:\n\n", time.Since(begun).Seconds())
		listing{}.row(&row, printable(rows[0]))
		fmt.Fprint(d.out, row.String())
		return nil
	}
}

// watchingSince waits until a source is in use, so that the senders begin under its eyes.
func watchingSince(ctx context.Context, in *instrument) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for in.sensor.Status().Level == "none" {
		select {
		case <-ctx.Done():
			return errors.New("demo: no source could be opened within 10 s; see beaconwatch.ext doctor")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// progress shows that time passes until the senders are done.
func (d *demo) progress(ctx context.Context, done <-chan error) {
	f, isFile := d.err.(*os.File)
	live := isFile && term.IsTerminal(int(f.Fd()))
	start := time.Now()
	step := 10 * time.Second
	if live {
		step = 500 * time.Millisecond
	}
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			if live {
				fmt.Fprint(d.err, "\r\033[K")
			}
			return
		case <-tick.C:
			passed := time.Since(start)
			if live {
				const width = 40
				n := min(int(passed*width/d.watch), width)
				fmt.Fprintf(d.err, "\rwatching [%-*s] %2.0f s of %.0f s", width, bar(n), passed.Seconds(), d.watch.Seconds())
			} else {
				fmt.Fprintf(d.err, "watching: %.0f s of %.0f s\n", passed.Seconds(), d.watch.Seconds())
			}
		}
	}
}

func bar(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '#'
	}
	return string(b)
}

// settle waits until the ranking has taken in what the senders in dir did: until it counts no further beats of theirs. Others on
// this host may go on for ever.
func settle(ctx context.Context, host *sqlhost.Host, dir string) error {
	before := ""
	for range 10 {
		rows, err := rowsOf(ctx, host, fmt.Sprintf("SELECT sum(beats) AS beats FROM beacon_candidates WHERE path LIKE '%s/%%'", dir))
		if err != nil {
			return err
		}
		if len(rows) == 1 && rows[0]["beats"] == before {
			return nil
		}
		before = rows[0]["beats"]
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(1500 * time.Millisecond):
		}
	}
	return nil
}
