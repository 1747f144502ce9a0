package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	osquery "github.com/osquery/osquery-go"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/ceiling"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/enrichment"
	"github.com/beaconwatch/beaconwatch/internal/governor"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// historyPart is the part of the ceiling that micro-bursts may take at most: the pairs themselves, and what ranking and verdicts
// make of them, take as much again, and the executable with what the kernel maps for it a third.
const historyPart = 4

// instrument is a whole sensor, wired: sources to attribution to history to ranking to tables.
type instrument struct {
	sensor       *sensor.Sensor
	resolver     *attribution.Resolver
	enricher     *enrichment.Enricher
	names        *enrichment.Names
	firstSeen    *checkpoint.FirstSeen
	histories    *checkpoint.Histories
	purges       atomic.Uint64
	marks        coverageMarks
	stateDir     string // empty for a sensor that keeps nothing
	store        *history.Store
	rules        *inventory.Live
	ranker       *candidate.Ranker
	plugins      []osquery.OsqueryPlugin
	namespaces   *namespaces
	governor     *governor.Governor
	answering    *governor.Allowance
	registration func() (socket string, reconnects uint64)
}

// newInstrument wires a sensor for this host. background are further parts it shall run.
func newInstrument(cfg config.Config, log *slog.Logger, background ...func(context.Context) error) (*instrument, error) {
	where := newDestinations()
	included := include(cfg.Include)
	outbound := func(d send.Destination) bool { return included(where.class(d)) }
	store, err := history.New(history.Config{MaxPairs: cfg.MaxPairs, MaxBursts: cfg.MaxBursts,
		MaxBytes: cfg.MemoryLimitMiB << 20 / historyPart, Retention: time.Duration(cfg.Retention), Joins: outbound})
	if err != nil {
		return nil, err
	}
	self, err := attribution.Self()
	if err != nil {
		return nil, err
	}
	in := &instrument{store: store, registration: func() (string, uint64) { return "", 0 }}
	if err := in.enrich(cfg); err != nil {
		return nil, err
	}
	resolver, err := attribution.New(attribution.Config{Redact: redactor(cfg.Redact), Met: in.enricher.Meet,
		Executions: openExecutions(cfg, log)})
	if err != nil {
		return nil, err
	}
	where.find = proxyFinder{store: store, resolver: resolver}.find
	in.resolver = resolver
	if in.rules, err = openRules(cfg, log); err != nil {
		return nil, err
	}
	in.ranker, err = candidate.New(candidate.Config{Store: store, Class: where.class, Include: included, Scorer: scoring(cfg),
		Grading: in.grading(where)})
	if err != nil {
		return nil, err
	}
	if err := in.keep(); err != nil {
		return nil, err
	}
	background = append(background, in.enriching(outbound)...)
	background = append(background, in.keeping(time.Duration(cfg.CheckpointInterval)), in.purging, in.recordUse, in.following(cfg.ListenSocket))
	out := newLookout(cfg, func(s send.Socket) { resolver.Owner(s, 0) }, resolver.Glimpse)
	in.namespaces = &namespaces{out: out, sensor: func() *sensor.Sensor { return in.sensor }}
	memory, err := ceiling.New(ceiling.Config{Limit: int64(cfg.MemoryLimitMiB) << 20, Fit: in.fit})
	if err != nil {
		return nil, err
	}
	if err = in.govern(cfg); err != nil {
		return nil, err
	}
	in.sensor, err = sensor.New(sensor.Config{
		Ladders: out.own(),
		Owner:   resolver.OwnerOf,
		Forget:  resolver.Forget,
		Record: func(p process.Program, id process.ID, sd *send.Send) {
			key := keyOf(p, sd)
			store.Record(&key, id, sd)
		},
		Exclude:    self,
		Background: append([]func(context.Context) error{resolver.Run, in.ranker.Run, where.run, in.sweep, in.namespaces.run, memory.Run, in.governor.Run}, background...),
		Log:        log,
	})
	if err != nil {
		return nil, err
	}
	for _, p := range table.All(table.Deps{Store: store, Ranker: in.ranker, Inventory: in.rules, Sensor: in.sensor, Process: in.process,
		Facts: in.facts, Hostname: in.names.Name, Class: where.class, Clock: boottime.System(), Role: cfg.Role,
		CoverageRun: in.marks.of, Host: func() table.Host { return in.host(cfg) }}) {
		in.plugins = append(in.plugins, guard(p, in.answering.Do, in.sensor.Fail))
	}
	return in, nil
}

func scoring(cfg config.Config) beacon.Config {
	return beacon.Config{PayloadLengthVariance: cfg.PayloadLengthVariance, MinBeats: cfg.MinBeats, Threshold: cfg.Threshold,
		RepeatFrequencyThreshold: cfg.RepeatFrequencyThreshold}
}

// include is the default of candidate, widened by the classes an operator named.
func include(names []string) func(send.Class) bool {
	var classes []send.Class
	for _, name := range names {
		if c, ok := send.ParseClass(name); ok {
			classes = append(classes, c)
		}
	}
	return func(c send.Class) bool { return candidate.Outbound(c) || slices.Contains(classes, c) }
}

func redactor(mode string) func(string) string {
	switch mode {
	case "off":
		return func(s string) string { return s }
	case "full":
		return func(s string) string {
			program, _, _ := strings.Cut(s, " ")
			return program
		}
	}
	return process.Redact
}

// fit has those who remember make do with the room there is.
func (in *instrument) fit(room int) (gave, full bool) {
	in.resolver.Hurry(room < 0)
	return in.store.Fit(room)
}

// sweep forgets pairs past their retention now and then.
func (in *instrument) sweep(ctx context.Context) error {
	return every(ctx, time.Minute, func() { in.store.Sweep(boottime.Now()) })
}

// host reads what the status table says of our own process.
func (in *instrument) host(cfg config.Config) table.Host {
	h := table.Host{PID: os.Getpid(), Version: fullVersion(), Config: cfg.JSON(), ConfigHash: cfg.Hash(), Checkpoint: in.histories.Saved(),
		Purges: in.purges.Load(), CoverageRun: in.marks.run(),
		MemoryLimit: uint64(cfg.MemoryLimitMiB) << 20, Goroutines: runtime.NumGoroutine(), ResidentSize: ceiling.Resident()}
	watched := in.sensor.Status()
	h.Blind = blindAt(watched.Level, udpLevels[watched.UDPSource])
	h.OsquerySocket, h.Reconnects = in.registration()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err == nil {
		h.UserTime, h.SystemTime = time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
	}
	known := in.resolver.Stats()
	h.Unreadable, h.Hidden, h.Deferred = uint64(known.Unreadable), known.Hidden, known.Deferred
	h.ProcessEvents = known.Events.Active
	others := in.namespaces.stats()
	h.NetNamespaces, h.NetNamespacesWatched = others.Found, others.Watched
	in.examined(&h)
	in.governed(&h, cfg)
	return h
}
