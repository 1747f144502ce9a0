package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	shipped "github.com/beaconwatch/beaconwatch/packs/inventory"
)

// ruleFiles are the rules of this host: the operator's, those of its roles, and the catalogue. Only a directory that somebody has
// named must be there.
func ruleFiles(cfg config.Config) inventory.Files {
	return inventory.Files{Shipped: shipped.Files, Dir: cfg.InventoryDir, Optional: cfg.InventoryDir == config.Default().InventoryDir,
		Roles: inventory.SplitRoles(cfg.Role)}
}

func openRules(cfg config.Config, log *slog.Logger) (*inventory.Live, error) {
	return inventory.Open(inventory.Config{Files: ruleFiles(cfg), Log: log})
}

// checkRules reads the rules as the sensor would, and says where something is wrong: a usage error if something would be left out
// or refused. Rules that have merely expired are a warning: they stop to hold on a day that nobody deploys anything.
func checkRules(cmd *cobra.Command, cfg config.Config) error {
	set, err := inventory.Load(ruleFiles(cfg))
	var invalid inventory.Invalid
	if errors.As(err, &invalid) {
		for _, f := range invalid {
			fmt.Fprintln(cmd.ErrOrStderr(), f)
		}
		return usagef("the sensor would leave out what is wrong, and refuse it when it reads the rules again")
	}
	if err != nil {
		return usageError{err}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "rules are valid; %d in effect, hash %s\n", len(set.Rules()), set.Hash())
	for _, f := range set.Expired(time.Now()) {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", f)
	}
	return nil
}

// grading is what verdicts on candidates rest on.
func (in *instrument) grading(where *destinations) candidate.Grading {
	return candidate.Grading{
		Inventory: in.rules.Set,
		Process:   in.process,
		Facts:     in.facts,
		Hostname:  in.names.Name,
		NewProgram: func(p process.Program) bool {
			seen, ok := in.firstSeen.Program(p)
			return ok && !seen.Initial && time.Since(seen.First) < inventory.Recent
		},
		NewDestination: func(d send.Destination) bool {
			seen, ok := in.firstSeen.Destination(d)
			return ok && !seen.Initial && time.Since(seen.First) < inventory.Recent
		},
		Listens: where.listens,
		Clock:   boottime.System(),
	}
}

// recordUse keeps on disk which rules are of use.
func (in *instrument) recordUse(ctx context.Context) error {
	in.rules.Run(ctx, in.sensor.Fail)
	return nil
}
