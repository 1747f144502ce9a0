package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// defaultWatch is how long a private sensor observes before it answers, unless told otherwise.
const defaultWatch = 30 * time.Second

// whom is whom a command asks: the running sensor, an osquery, or a private sensor of its own.
type whom struct {
	flags     configFlags
	watch     time.Duration
	socket    string
	ownSensor bool
	started   *instrument // a sensor of its own, if one was started
}

// bind makes the flags that say whom to ask; named are settings worth showing beside them.
func (w *whom) bind(cmd *cobra.Command, named ...string) {
	w.flags.bindAside(cmd, append(named, "listen_socket", "include", "level")...)
	f := cmd.Flags()
	f.DurationVar(&w.watch, "for", 0, "observe for this long before answering")
	f.StringVar(&w.socket, "socket", "", "ask the osquery at this extensions socket")
	f.BoolVar(&w.ownSensor, "own_sensor", false, "start a private sensor even if one is running")
}

// load checks the flags and reads the configuration.
func (w *whom) load() (config.Config, error) {
	switch {
	case w.watch < 0:
		return config.Config{}, usagef("--for is %s, it must not be negative", w.watch)
	case w.socket != "" && w.ownSensor:
		return config.Config{}, usagef("--socket and --own_sensor exclude each other")
	}
	return w.flags.load()
}

// connect finds whom to ask and waits as long as it shall observe; once says that a private sensor must watch before it
// answers, because there is but one question. done ends what connect began.
func (w *whom) connect(cmd *cobra.Command, cfg config.Config, once bool) (ask shell.Querier, done func(), err error) {
	if w.socket != "" {
		client, err := shell.Dial(w.socket, 30*time.Second)
		if err != nil {
			return nil, nil, err
		}
		return client, func() { client.Close() }, observe(cmd, w.watch)
	}
	if !w.ownSensor {
		client, err := shell.Dial(cfg.ListenSocket, 30*time.Second)
		if err == nil {
			return client, func() { client.Close() }, observe(cmd, w.watch)
		}
		if !errors.Is(err, shell.ErrNoSocket) {
			return nil, nil, err
		}
	}
	if once && w.watch == 0 {
		w.watch = defaultWatch
	}
	return w.private(cmd, cfg)
}

// private starts a sensor for this command alone.
func (w *whom) private(cmd *cobra.Command, cfg config.Config) (shell.Querier, func(), error) {
	in, err := newInstrument(cfg, quietLogger(cfg))
	if err != nil {
		return nil, nil, err
	}
	w.started = in
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
	if !namesAll() {
		fmt.Fprintln(cmd.ErrOrStderr(), ordinary)
	}
	if err := observe(cmd, w.watch); err != nil {
		done()
		return nil, nil, err
	}
	return host, done, nil
}

// observe waits, says how long, and on a terminal how long it has.
func observe(cmd *cobra.Command, d time.Duration) error {
	if d == 0 {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Observing for %s.\n", d)
	begun := time.Now()
	hide := showProgress(cmd.ErrOrStderr(), func() string {
		return fmt.Sprintf("observing: %d s of %d s", int(time.Since(begun).Seconds()), int(d.Seconds()))
	})
	defer hide()
	select {
	case <-cmd.Context().Done():
		return cmd.Context().Err()
	case <-time.After(d):
		return nil
	}
}
