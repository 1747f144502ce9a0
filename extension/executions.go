package main

import (
	"log/slog"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// executions shows the kernel's word on executed programs to attribution.
type executions struct{ *bpf.Executions }

// openExecutions returns how attribution asks the kernel for it; nil if the level forbids. Where the kernel refuses, programs are
// known only if they can be read in time.
func openExecutions(cfg config.Config, log *slog.Logger) func() attribution.Executions {
	if cfg.Level != "L3" && cfg.Level != "L2" {
		return nil
	}
	return func() attribution.Executions {
		x, err := bpf.OpenExecutions()
		if err != nil {
			log.Warn("the briefest processes may stay unknown", "reason", err)
			return nil
		}
		return executions{x}
	}
}

// Next returns the next execution that is there.
func (x executions) Next(to *attribution.Execution) (bool, error) {
	var e bpf.Execution
	ok, err := x.Executions.Next(&e)
	if !ok || err != nil {
		return false, err
	}
	*to = attribution.Execution{At: e.At, Parent: e.Parent, UID: e.Owner.UID, NetNS: uint64(e.NetNS), Stack: e.Stack,
		ID:   process.ID{PID: e.Owner.PID, StartTicks: uint64(e.Owner.Start) / (1e9 / procfs.ClockTicks)},
		Name: unix.ByteSliceToString(e.Owner.Comm[:]), Path: e.Path, Cwd: e.Cwd, Cgroup: e.Cgroup, Args: e.Args}
	return true, nil
}
