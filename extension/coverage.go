package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/coverage"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// covering is a run of the coverage test.
type covering struct {
	whom
	sink       string
	real       bool
	json       bool
	junit, key string
	evidence   string
	isolated   bool // the senders are in a namespace of their own

	shapes []coverage.Shape
	paths  map[string]string
	dir    string
	run    string

	mu        sync.Mutex // guards what follows
	processes []process.ID
	sent      map[string]int
	ended     error
}

func coverageCommand() *cobra.Command {
	c := &covering{}
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Prove that suspicious senders yield reviewable evidence here: the monitoring coverage test",
		Long: `coverage starts harmless senders in the shapes of what the analytic is about: a timer with curl, a python loop, a jittered
implant, chunked exfiltration, datagrams of the size of DNS questions, short-lived processes, rotating destinations. Then it asks
the tables whether each became a candidate: after how many check-ins, at which severity, seen at which level. It asks the osquery that
has the tables of the running sensor, or is at --socket; without one the running sensor, without that a private one.

As root the senders send to addresses of documentation inside a network namespace of their own; nothing leaves it. As an ordinary
user they send on loopback to themselves, watched by a private sensor; with --sink, to a host on which "coverage sink" runs. They
are bounded in number and time and send bytes without meaning.

The exit code is 0 if every shape was found that the blind-spot guide promises at this level, 1 otherwise. Rows of the senders carry
the id of the run in coverage_run, and keep their score and severity like any other.`,
		Example: `  beaconwatch.ext coverage
  beaconwatch.ext coverage --evidence ./evidence-2026-q4 --sign_key audit.pem
  beaconwatch.ext coverage --socket /var/osquery/osquery.em --junit coverage.xml
  beaconwatch.ext coverage --sink 192.0.2.10`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.start(cmd) },
	}
	c.bind(cmd)
	f := cmd.Flags()
	f.Lookup("for").Usage = "how long the senders run (default 50s, in real time 20m)"
	f.StringVar(&c.sink, "sink", "", "send to this address, where coverage sink runs")
	f.BoolVar(&c.real, "real", false, "real time: check-ins minutes apart instead of seconds")
	f.BoolVar(&c.json, "json", false, "print JSON")
	f.StringVar(&c.junit, "junit", "", "write a JUnit report to this file")
	f.StringVar(&c.evidence, "evidence", "", "make this directory with evidence for an audit and a manifest of its digests")
	f.StringVar(&c.key, "sign_key", "", "sign the manifest with this Ed25519 private key (PEM)")
	cmd.AddCommand(coverageSinkCommand())
	return cmd
}

func (c *covering) start(cmd *cobra.Command) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if c.key != "" && c.evidence == "" {
		return usagef("--sign_key signs the manifest of --evidence, which is not asked for")
	}
	watch := c.watch
	if watch == 0 {
		watch = map[bool]time.Duration{false: 50 * time.Second, true: 20 * time.Minute}[c.real]
	}
	if watch < 15*time.Second || watch > 24*time.Hour {
		return usagef("--for is %s, it must be between 15s and 24h", watch)
	}
	c.watch = 0 // the senders are what is observed
	if err := c.stage(watch); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	ask, done, err := c.ask(cmd, &cfg)
	if err != nil {
		return err
	}
	defer done()
	e, err := c.observe(cmd, cfg, ask, watch)
	if err != nil {
		return err
	}
	return c.report(cmd, e)
}

// stage draws the run's id, places the shapes and prepares their executables.
func (c *covering) stage(watch time.Duration) error {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	c.run, c.sent = hex.EncodeToString(id), map[string]int{}
	c.isolated = os.Geteuid() == 0 && c.sink == ""
	hosts := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	switch {
	case c.sink != "":
		addr, err := netip.ParseAddr(c.sink)
		if err != nil {
			return usagef("--sink is %q, it must be an IP address; coverage sink runs there", c.sink)
		}
		hosts = []netip.Addr{addr}
	case c.isolated:
		hosts = nil
		for i := range 8 { // TEST-NET-2, RFC 5737
			hosts = append(hosts, netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)}))
		}
	}
	c.shapes = coverage.Shapes(!c.real, watch)
	if err := coverage.Place(c.shapes, hosts, 0); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "beaconwatch-coverage-")
	if err != nil {
		return err
	}
	c.dir, c.paths = dir, map[string]string{}
	if err := os.WriteFile(filepath.Join(dir, "collect.py"), []byte(coverage.Loop), 0o600); err != nil {
		return err
	}
	for _, s := range c.shapes {
		if s.Tool != "" {
			if path, err := exec.LookPath(s.Tool); err == nil {
				c.paths[s.Name] = path
			}
			continue
		}
		c.paths[s.Name] = filepath.Join(dir, s.Name)
		if err := copySelf(c.paths[s.Name]); err != nil {
			return err
		}
	}
	return nil
}

// ask finds whom to ask. Loopback is no candidate for a sensor that runs already, so there a private one is started.
func (c *covering) ask(cmd *cobra.Command, cfg *config.Config) (shell.Querier, func(), error) {
	if !c.isolated && c.sink == "" {
		c.ownSensor = true
		if err := c.flags.flags.Set("include", "loopback"); err != nil {
			return nil, nil, err
		}
		loaded, err := c.flags.load()
		if err != nil {
			return nil, nil, err
		}
		*cfg = loaded
	}
	ask, done, err := c.connect(cmd, *cfg, false)
	if err != nil || c.socket != "" || c.started != nil {
		return ask, done, err
	}
	return c.throughOsquery(cmd.Context(), ask, done)
}

// throughOsquery asks the osquery that has the tables of the running sensor, if one has: what reaches a fleet goes that way.
func (c *covering) throughOsquery(ctx context.Context, ask shell.Querier, done func()) (shell.Querier, func(), error) {
	rows, err := rowsOf(ctx, ask, "SELECT osquery_socket FROM beacon_sensor_status")
	if err != nil || len(rows) != 1 || rows[0]["osquery_socket"] == "" {
		return ask, done, err
	}
	done()
	c.socket = rows[0]["osquery_socket"]
	client, err := shell.Dial(c.socket, 30*time.Second)
	if err != nil {
		return nil, nil, fmt.Errorf("the sensor is registered with an osquery that does not answer: %w", err)
	}
	return client, func() { client.Close() }, nil
}

// observe runs the senders and asks the tables until all is found or their time is over.
func (c *covering) observe(cmd *cobra.Command, cfg config.Config, ask shell.Querier, watch time.Duration) (e coverage.Evidence, err error) {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	w := coverage.NewWatch(c.shapes, c.paths)
	var play []coverage.Shape
	for _, s := range c.shapes {
		if c.paths[s.Name] == "" {
			w.Skip(s.Name, s.Tool+" is not installed")
			continue
		}
		play = append(play, s)
	}
	e = coverage.Evidence{Run: c.run, Version: fullVersion(), Started: time.Now().UTC(), Where: c.where(), Asked: c.said(), Controls: coverage.Controls(), Clock: clockState()}
	e.Host, e.Kernel = hostAndKernel()
	ended, err := c.play(ctx, play, watch)
	if err != nil {
		return e, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Run %s: %d senders for %s, %s; asking %s.\n", c.run, len(play), watch, e.Where, e.Asked)
	begun := time.Now()
	hide := showProgress(cmd.ErrOrStderr(), func() string {
		return fmt.Sprintf("sending: %d s of %d s", int(time.Since(begun).Seconds()), int(watch.Seconds()))
	})
	defer hide()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			return e, ctx.Err()
		case <-ended:
			over = true
		case <-tick.C:
		}
		if err := c.mark(cfg); err != nil && !errors.Is(err, errNotMarked) {
			return e, err
		}
		if e.Status, err = c.look(ctx, ask, w); err != nil {
			return e, err
		}
	}
	e.Finished, e.Verdicts = time.Now().UTC(), w.Verdicts()
	for _, s := range c.shapes {
		if !coverage.Promised(e.Status["level"], s.Name) {
			e.Blind = append(e.Blind, s.Name)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e, c.ended
}

func (c *covering) where() string {
	switch {
	case c.sink != "":
		return "to the sink at " + c.sink
	case c.isolated:
		return "in a network namespace of their own"
	}
	return "on loopback"
}

// look asks the tables once.
func (c *covering) look(ctx context.Context, ask shell.Querier, w *coverage.Watch) (status map[string]string, err error) {
	rows, err := rowsOf(ctx, ask, "SELECT * FROM beacon_sensor_status")
	if err != nil || len(rows) != 1 {
		return nil, errors.Join(fmt.Errorf("the sensor's status: %d rows", len(rows)), err)
	}
	w.Level = rows[0]["level"]
	found, err := rowsOf(ctx, ask, "SELECT "+coverage.Columns+" FROM beacon_candidates")
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Look(found, c.sent, c.run)
	return rows[0], nil
}
