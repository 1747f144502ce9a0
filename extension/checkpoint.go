package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

// What the state directory holds beside the lock. A file that could not be read is set aside under the same name with an
// ending.
const (
	historiesFile = "histories"
	firstSeenFile = "first-seen"
)

// keep prepares the histories for being kept across restarts.
func (in *instrument) keep() error {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("which boot this is: %w", err)
	}
	in.histories, err = checkpoint.NewHistories(checkpoint.HistoriesConfig{
		Store: in.store, Boot: strings.TrimSpace(string(boot)), Offset: boottime.System().Offset, Alive: attribution.Alive,
		Known: func(id process.ID) (k checkpoint.Known, ok bool) {
			k.Info, ok = in.process(id)
			k.Facts, _ = in.facts(id)
			return k, ok
		},
	})
	return err
}

// restore continues what an earlier sensor of this state directory has kept. Only the holder of its lock may.
func (in *instrument) restore(stateDir string) {
	in.stateDir = stateDir
	in.rules.Keep(stateDir)
	if err := in.firstSeen.Load(filepath.Join(stateDir, firstSeenFile)); err != nil {
		in.sensor.Fail(err)
	}
	if err := in.histories.Load(filepath.Join(stateDir, historiesFile)); err != nil {
		in.sensor.Fail(err)
	}
}

// keeping is the part that saves histories in the background.
func (in *instrument) keeping(every time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		in.histories.Run(ctx, every, in.sensor.Fail)
		return nil
	}
}

// process is what is known of a process, by this sensor or by the one before it.
func (in *instrument) process(id process.ID) (process.Info, bool) {
	if info, ok := in.resolver.Process(id); ok {
		return info, true
	}
	known, ok := in.histories.Process(id)
	return known.Info, ok
}

// facts are those of a process, found by this sensor or by the one before it.
func (in *instrument) facts(id process.ID) (process.Facts, bool) {
	if facts, ok := in.enricher.Facts(id); ok {
		return facts, true
	}
	known, ok := in.histories.Process(id)
	return known.Facts, ok && known.Facts.Examined
}
