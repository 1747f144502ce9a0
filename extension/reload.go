package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/beaconwatch/beaconwatch/internal/config"
)

// errAnew ends a sensor whose configuration is another by now; the next one goes on in its place.
var errAnew = errors.New("the configuration has changed")

// reloading reads the configuration and the rules again whenever SIGHUP comes. What is wrong is refused: what was in effect stays, and
// the status table says why. Another configuration has the sensor begin anew.
func (s *serve) reloading(ctx context.Context, in *instrument, cfg config.Config, log *slog.Logger, anew func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.hangup:
		}
		next, err := s.flags.load()
		switch {
		case err != nil:
			log.Error("configuration refused, the present one stays", "reason", err)
			in.sensor.Fail(err)
		case next.Hash() != cfg.Hash():
			log.Info("beginning anew with another configuration", "config_hash", next.Hash())
			anew()
		default:
			if err := in.rules.Reload(); err != nil {
				in.sensor.Fail(err)
			}
		}
	}
}
