package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	osquery "github.com/osquery/osquery-go"
	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// serve is the sensor as a service, as an osquery extension, or both.
type serve struct {
	flags    configFlags
	socket   string
	timeout  int
	interval int
	verbose  bool

	hangup chan os.Signal // SIGHUP, which may come before there is anything to reload
}

func (s *serve) bind(cmd *cobra.Command) {
	s.flags.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&s.socket, "socket", "", "osquery's extensions socket, or a pattern whose newest socket it is; without it the sensor runs by itself")
	f.IntVar(&s.timeout, "timeout", 3, "seconds to wait for osquery to answer")
	f.IntVar(&s.interval, "interval", 3, "seconds between checks of the registration")
	f.BoolVar(&s.verbose, "verbose", false, "log everything")
}

func (s *serve) run(ctx context.Context) error {
	switch {
	case s.timeout < 1 || s.interval < 1:
		return usagef("--timeout and --interval must be at least 1 second")
	case len(s.socket) > osquery.MaxSocketPathCharacters:
		return usagef("--socket has %d characters, osquery allows %d", len(s.socket), osquery.MaxSocketPathCharacters)
	}
	s.hangup = make(chan os.Signal, 1)
	signal.Notify(s.hangup, syscall.SIGHUP)
	defer signal.Stop(s.hangup)
	for {
		if err := s.begin(ctx); !errors.Is(err, errAnew) {
			return err
		}
	}
}

// begin is a sensor, or a relay, with the configuration of now. It ends with ctx, or with errAnew.
func (s *serve) begin(ctx context.Context) error {
	cfg, err := s.flags.load()
	if err != nil {
		return err
	}
	log := logger(cfg, s.verbose)
	lock, err := lockState(cfg.StateDir)
	if errors.Is(err, errLocked) {
		return s.relay(ctx, cfg, log)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	unkept := announce(cfg.StateDir, cfg.ListenSocket)
	if unkept != nil && !cannotWrite(unkept) {
		return unkept
	}
	return s.sense(ctx, cfg, log, unkept)
}

// sense is the one sensor of this host: it watches, serves its own socket, and registers with osquery if told to. unkept is why it
// cannot keep anything, nil as a rule.
func (s *serve) sense(ctx context.Context, cfg config.Config, log *slog.Logger, unkept error) error {
	watching, end := context.WithCancelCause(ctx)
	defer end(nil)
	var in *instrument
	host, err := sqlhost.New(sqlhost.Config{Name: extensionName, Version: version, Logger: log,
		Around: func(run func()) { in.answering.Count(run) }})
	if err != nil {
		return err
	}
	defer host.Close()
	reg := s.registrar(log)
	in, err = newInstrument(cfg, log, func(ctx context.Context) error { return s.listen(ctx, host, cfg.ListenSocket, log) }, reg.run,
		func(ctx context.Context) error { return s.reloading(ctx, in, cfg, log, func() { end(errAnew) }) })
	if err != nil {
		return err
	}
	if unkept != nil {
		in.sensor.Fail(unkept)
	}
	in.restore(cfg.StateDir)
	in.registration = reg.registration
	reg.plugins, reg.encode = in.plugins, in.answering.Begin
	for _, p := range in.plugins {
		if err := host.RegisterTable(p); err != nil {
			return err
		}
	}
	log.Info("watching", "version", fullVersion(), "listen_socket", cfg.ListenSocket, "config_hash", cfg.Hash())
	if err := in.sensor.Run(watching); err != nil || ctx.Err() != nil {
		return err
	}
	return context.Cause(watching)
}

// listen serves SQL on our own socket and tries again when that fails: the sensor is worth having without it.
func (s *serve) listen(ctx context.Context, host *sqlhost.Host, socket string, log *slog.Logger) error {
	for ctx.Err() == nil {
		err := os.MkdirAll(filepath.Dir(socket), 0o700)
		if err == nil {
			err = host.Serve(ctx, socket)
		}
		if err != nil && ctx.Err() == nil {
			log.Error("cannot serve SQL", "listen_socket", socket, "reason", err)
			select {
			case <-ctx.Done():
			case <-time.After(30 * time.Second):
			}
		}
	}
	return nil
}

// relay answers osquery from the sensor that is already running. Without an osquery there is nothing to do.
func (s *serve) relay(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	socket := announced(cfg.StateDir, cfg.ListenSocket)
	if s.socket == "" {
		ask := "beaconwatch.ext query"
		if usual, _ := defaultPaths(); socket != usual {
			ask += " --listen_socket " + socket
		}
		return errors.New("a sensor is already running here; ask it with: " + ask)
	}
	reg := s.registrar(log)
	for _, p := range table.All(table.Deps{}) {
		reg.plugins = append(reg.plugins, guard(&relayed{Table: p, socket: socket, timeout: tableTimeout}, freely,
			func(err error) { log.Error("relay", "error", err) }))
	}
	log.Info("a sensor is already running here: relaying its tables", "listen_socket", socket)
	return reg.run(ctx)
}

func (s *serve) registrar(log *slog.Logger) *registrar {
	return &registrar{socket: s.socket, log: log,
		timeout: time.Duration(s.timeout) * time.Second, interval: time.Duration(s.interval) * time.Second,
		encode: func() func() { return func() {} }}
}
