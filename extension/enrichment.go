package main

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/enrichment"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// rpmDatabase is the command that reads one.
const rpmDatabase = "rpm-database"

// noteEvery is how often programs and destinations are noted as seen. A pair that is evicted before that is not.
const noteEvery = 10 * time.Second

// enrich prepares what is found out of processes beyond what attribution needs.
func (in *instrument) enrich(cfg config.Config) (err error) {
	in.names = enrichment.NewNames(enrichment.NamesConfig{NoDNS: cfg.DNSNames == "off"})
	in.firstSeen = checkpoint.NewFirstSeen(checkpoint.FirstSeenConfig{})
	in.enricher, err = enrichment.New(enrichment.Config{
		RPMReader: []string{"/proc/self/exe", rpmDatabase},
		Process:   func(id process.ID) (process.Info, bool) { return in.resolver.Process(id) },
		FirstSeen: func(f process.File) (time.Time, bool) {
			seen := in.firstSeen.SawFile(f)
			return seen.First, seen.Initial
		},
	})
	return err
}

// enriching are the parts that run in the background. outbound says which destinations are worth remembering.
func (in *instrument) enriching(outbound func(send.Destination) bool) []func(context.Context) error {
	return []func(context.Context) error{
		in.enricher.Run,
		in.names.Run,
		func(ctx context.Context) error { in.rememberSeen(ctx, outbound); return nil },
	}
}

// rememberSeen notes what is seen and has it saved, when ctx ends what was seen until then.
func (in *instrument) rememberSeen(ctx context.Context, outbound func(send.Destination) bool) {
	whole, stop := context.WithCancel(context.WithoutCancel(ctx))
	var saving sync.WaitGroup
	saving.Go(func() { in.firstSeen.Run(whole, in.sensor.Fail) })
	in.noteSeen(ctx, outbound)
	stop()
	saving.Wait()
}

// noteSeen notes which programs talk, and to which destinations, off the hot path.
func (in *instrument) noteSeen(ctx context.Context, outbound func(send.Destination) bool) {
	var since boottime.Time
	for going := true; going; {
		going = pulse.Wait(ctx, noteEvery)
		now := boottime.Now()
		in.store.Recent(since, func(k history.Key, d send.Destination) {
			if k.Program.Attributed() && outbound(d) {
				in.firstSeen.SawProgram(k.Program)
				in.firstSeen.SawDestination(d)
			}
		})
		since = now.Add(-noteEvery) // a report may be late
	}
}

// examined adds what the status table says of enrichment.
func (in *instrument) examined(h *table.Host) {
	s := in.enricher.Stats()
	h.EnrichmentDropped, h.HostPreload = s.Dropped, s.HostPreload
	if s.PackageError != nil {
		h.EnrichmentError = s.PackageError.Error()
	}
	switch n := in.names.Stats(); {
	case n.Listening:
		h.DNSNames = "on"
	case n.Refused != nil:
		h.DNSNames = n.Refused.Error()
	default:
		h.DNSNames = "off"
	}
}

// rpmDatabaseCommand is what the sensor runs to read an rpm database; see enrichment.Config.RPMReader.
func rpmDatabaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: rpmDatabase + " FILE", Short: "Print what an rpm database knows of programs", Hidden: true,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			debug.SetMemoryLimit(32 << 20) // beside the sensor, which shares its memory limit with it
			return enrichment.DumpRPM(args[0], cmd.OutOrStdout())
		},
	}
}
