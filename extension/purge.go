package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// purgeSignal tells the running sensor to forget what it has recorded.
const purgeSignal = syscall.SIGUSR1

// purgeTime bounds the wait for a running sensor to have forgotten.
const purgeTime = 10 * time.Second

func purgeCommand() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use: "purge", Short: "Forget all histories, in memory and on disk", Args: noArguments,
		Long: `purge forgets what was recorded: histories, first-seen times, and state files that were set aside. They say with whom
the users of this host have talked. A running sensor is told to forget and goes on with nothing; otherwise the files in the
state directory are removed. How long histories are kept anyway is the setting retention.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := flags.load()
			if err != nil {
				return err
			}
			return purge(cmd, cfg)
		},
	}
	flags.bindAside(cmd, "state_dir", "listen_socket")
	return cmd
}

func purge(cmd *cobra.Command, cfg config.Config) error {
	if _, err := os.Stat(cfg.StateDir); err != nil {
		return fmt.Errorf("nothing to purge: state directory: %w", err)
	}
	lock, err := lockState(cfg.StateDir)
	if errors.Is(err, errLocked) {
		return purgeRunning(cmd, cfg)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	n, err := removeState(cfg.StateDir)
	if err == nil {
		fmt.Fprintf(cmd.OutOrStdout(), "purged %d state files in %s\n", n, cfg.StateDir)
	}
	return err
}

// removeState removes what is kept of histories, what was set aside included, and says how many files that were.
func removeState(dir string) (n int, err error) {
	for _, name := range []string{historiesFile, firstSeenFile} {
		found, err := filepath.Glob(filepath.Join(dir, name+"*"))
		if err != nil {
			return n, err
		}
		for _, file := range found {
			if err := os.Remove(file); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// purgeRunning has the running sensor forget, and waits until it says so.
func purgeRunning(cmd *cobra.Command, cfg config.Config) error {
	client, err := shell.Dial(cfg.ListenSocket, purgeTime)
	if err != nil {
		return fmt.Errorf("a sensor is running and cannot be asked: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), purgeTime)
	defer cancel()
	pid, before, err := purges(ctx, client)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, purgeSignal); err != nil {
		return fmt.Errorf("tell the sensor, process %d: %w", pid, err)
	}
	for {
		_, now, err := purges(ctx, client)
		if err != nil {
			return fmt.Errorf("the sensor, process %d, does not say that it has forgotten: %w", pid, err)
		}
		if now > before {
			fmt.Fprintln(cmd.OutOrStdout(), "the running sensor has forgotten what it had recorded")
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// purges asks the sensor for its process and how often it has forgotten.
func purges(ctx context.Context, client *shell.Client) (pid, times int, err error) {
	_, rows, err := client.Query(ctx, "SELECT pid, purges FROM beacon_sensor_status")
	if err != nil {
		return 0, 0, err
	}
	if len(rows) != 1 {
		return 0, 0, fmt.Errorf("%d sensors answer", len(rows))
	}
	pid, err = strconv.Atoi(rows[0][0])
	if err != nil || pid < 2 {
		return 0, 0, fmt.Errorf("the sensor says it is process %q", rows[0][0])
	}
	times, err = strconv.Atoi(rows[0][1])
	return pid, times, err
}

// purging forgets what was recorded whenever the signal comes.
func (in *instrument) purging(ctx context.Context) error {
	return onSignal(ctx, purgeSignal, func() {
		if err := in.forget(); err != nil {
			in.sensor.Fail(fmt.Errorf("purge: %w", err))
		}
		in.purges.Add(1)
	})
}

// forget empties memory first, so that what is then written is nothing.
func (in *instrument) forget() error {
	in.store.Clear()
	in.firstSeen.Forget()
	in.histories.Forget()
	if in.stateDir == "" {
		return nil
	}
	_, err := removeState(in.stateDir)
	return errors.Join(err, in.histories.Save(), in.firstSeen.Save())
}
