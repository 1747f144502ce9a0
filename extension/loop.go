package main

import (
	"context"
	"os"
	"os/signal"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// every calls f each time d has passed, until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) error {
	for pulse.Wait(ctx, d) {
		f()
	}
	return nil
}

// onSignal calls f whenever the signal comes, until ctx ends.
func onSignal(ctx context.Context, s os.Signal, f func()) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, s)
	defer signal.Stop(told)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-told:
			f()
		}
	}
}
