package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/coverage"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Hidden commands with which a copy of this executable becomes the stage of a coverage test, or a sender on it.
const (
	coverageStageCommand  = "coverage-stage"
	coverageSenderCommand = "coverage-sender"
)

func coverageStageCommandOf() *cobra.Command {
	return &cobra.Command{Use: coverageStageCommand, Hidden: true, Args: noArguments, RunE: func(cmd *cobra.Command, _ []string) error {
		var plan coverage.Plan
		if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
			return usagef("a stage reads its plan as JSON from standard input: %w", err)
		}
		return coverage.Play(cmd.Context(), plan, cmd.OutOrStdout())
	}}
}

func coverageSenderCommandOf() *cobra.Command {
	return &cobra.Command{Use: coverageSenderCommand, Hidden: true, Args: noArguments, RunE: func(cmd *cobra.Command, _ []string) error {
		var plan coverage.SenderPlan
		if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
			return usagef("a sender reads its configuration as JSON from standard input: %w", err)
		}
		cfg := plan.SenderConfig
		cfg.Record = os.Stdout
		if len(plan.Rotate) > 1 {
			cfg.Dial = roundRobin(plan.Rotate)
		}
		return simulate.Run(cmd.Context(), cfg)
	}}
}

// roundRobin connects to one address after the other.
func roundRobin(addresses []string) func(context.Context, string, string) (net.Conn, error) {
	var next atomic.Uint64
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		n := next.Add(1) - 1
		return dialAndWait(ctx, network, addresses[n%uint64(len(addresses))])
	}
}

// coverageSinkCommand is the far end on another host.
func coverageSinkCommand() *cobra.Command {
	var listen string
	var limit time.Duration
	cmd := &cobra.Command{
		Use: "sink", Short: "Receive what the senders of a coverage test send, on another host", Args: noArguments,
		Long: `sink listens on the ports that coverage --sink sends to, reads and discards. It answers nobody but curl, and ends after --for.`,
		Example: `  beaconwatch.ext coverage sink --listen 192.0.2.10
  beaconwatch.ext coverage --sink 192.0.2.10           # on the host that is tested`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := netip.ParseAddr(listen)
			if err != nil {
				return usagef("--listen is %q, it must be an IP address of this host", listen)
			}
			if limit <= 0 || limit > 30*24*time.Hour {
				return usagef("--for is %s, it must be above 0 and at most 720h", limit)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), limit)
			defer cancel()
			shapes := coverage.Shapes(true, limit)
			if err := coverage.Place(shapes, []netip.Addr{addr}, 0); err != nil {
				return err
			}
			return receive(ctx, cmd, shapes)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1", "address to listen on")
	f.DurationVar(&limit, "for", time.Hour, "how long")
	return cmd
}

func receive(ctx context.Context, cmd *cobra.Command, shapes []coverage.Shape) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	for _, s := range shapes {
		for _, address := range s.Addresses {
			run, err := coverage.FarEnd(ctx, s, address)
			if err != nil {
				return err
			}
			all.Go(func() {
				if err := run(ctx); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "receiving on %d ports from %s on\n", coverage.Ports(), shapes[0].Addresses[0])
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
