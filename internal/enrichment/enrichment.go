// Package enrichment finds out, off the hot path, what a verdict on a talking process may rest on: which file it runs, who
// could have changed that file, which package it belongs to, whether it still is what the package installed, what was
// preloaded into the process. It reads what perishes with a process first, remembers files by what they are, so that the
// twentieth run of a program costs next to nothing, and leaves unknown what it could not read. It draws no conclusions.
//
// It never asks a file server for anything (FUSE, NFS): such a server, which may be the implant's own, could make it wait
// for ever. Files there have neither digest nor package. A file is taken for another when its inode, size, owner, mode or
// change times are; whoever can write to the raw disk or set the clock can fool that, but not the digest.
package enrichment

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// Config of an Enricher; the zero value describes this host with the defaults.
type Config struct {
	// Proc is where the proc file system is mounted, default /proc. Root is the directory in which the databases of the
	// package managers and the files of container runtimes are looked for, default /; executables are not.
	Proc, Root string
	// RPMReader is a command that, with the path of an rpm database as its last argument, prints what DumpRPM does. It is a
	// process of its own, because what reads these databases may end its process over a damaged one. Without it they are not
	// read, and nothing is said of packages on a host that has one.
	RPMReader []string
	// Process returns what is known of a process, to examine one for which there was no room at first. May be nil.
	Process func(process.ID) (process.Info, bool)
	// FirstSeen notes that a file is in use and returns since when; initial is as in process.Facts. May be nil.
	FirstSeen func(process.File) (first time.Time, initial bool)
	// MaxProcesses bounds the processes remembered, MaxFiles the files, MaxQueue the processes and the files that wait.
	// Defaults 8192, 4096 and 2048.
	MaxProcesses, MaxFiles, MaxQueue int
	// MaxHash is the size in bytes up to which files are hashed. Default 256 MiB.
	MaxHash int64
	// Share is the share of one core that examining processes may take in the long run, and once more that of inspecting
	// files; a second's worth may be spent at once. Default 0.02.
	Share float64
}

// Enricher examines processes. It is safe for concurrent use; one goroutine must be in Run.
type Enricher struct {
	config   Config
	fs       procfs.FS
	packages *packages
	began    time.Time // the origin of now

	queue   chan process.Info
	inspect chan inspection

	examining, inspecting *rate.Limiter
	halvings              atomic.Int32 // of what they grant
	counters              counters
	hostPreload           atomic.Bool

	mu       sync.RWMutex // guards what follows; never held while anything is read
	subjects subjects
	files    files
}

// Stats is what an Enricher knows about itself. Counters only grow.
type Stats struct {
	// Examined counts processes examined, Late those that had ended before that, Hashed files hashed.
	Examined, Late, Hashed uint64
	// Dropped counts processes and files for which there was no room in a queue; they are taken up again when they are
	// asked for.
	Dropped uint64
	// Queued are those that wait now, Processes and Files those remembered.
	Queued, Processes, Files int
	// Packages are those installed as the package databases say; PackageError is why one could not be read, nil if all could.
	Packages     int
	PackageError error
	// HostPreload: ld.so.preload (ld.so(8)) names a library that is loaded into every program of the host.
	HostPreload bool
}

type counters struct {
	examined, late, hashed, dropped atomic.Uint64
}

// New returns an Enricher that reads nothing until Run. It fails only for a configuration out of range.
func New(c Config) (*Enricher, error) {
	if c.MaxProcesses < 0 || c.MaxFiles < 0 || c.MaxQueue < 0 || c.MaxHash < 0 || !(c.Share >= 0 && c.Share <= 1) {
		return nil, errors.New("enrichment: limits must not be negative and the share at most 1")
	}
	setDefault(&c.Root, "/")
	setDefault(&c.MaxProcesses, 8192)
	setDefault(&c.MaxFiles, 4096)
	setDefault(&c.MaxQueue, 2048)
	setDefault(&c.MaxHash, 256<<20)
	setDefault(&c.Share, 0.02)
	if c.Process == nil {
		c.Process = func(process.ID) (process.Info, bool) { return process.Info{}, false }
	}
	if c.FirstSeen == nil {
		c.FirstSeen = func(process.File) (time.Time, bool) { return time.Time{}, false }
	}
	return &Enricher{
		config: c, fs: procfs.New(c.Proc), packages: newPackages(c.Root, c.RPMReader), began: time.Now(),
		queue: make(chan process.Info, c.MaxQueue), inspect: make(chan inspection, c.MaxQueue),
		examining: newLimiter(c.Share), inspecting: newLimiter(c.Share),
		subjects: subjects{limit: c.MaxProcesses}, files: files{limit: c.MaxFiles},
	}, nil
}

// now is the time since New.
func (e *Enricher) now() time.Duration { return time.Since(e.began) }

func setDefault[T comparable](v *T, value T) {
	var unset T
	if *v == unset {
		*v = value
	}
}

// Meet has a process examined soon. It never waits; where there is no room the process is counted and left for later.
func (e *Enricher) Meet(info process.Info) {
	select {
	case e.queue <- info:
	default:
		e.counters.dropped.Add(1)
	}
}

// Facts returns what is known of a process; false if it has not been examined yet. Asking for one that was forgotten, or
// for which there was no room, has it examined. It reads memory only.
func (e *Enricher) Facts(id process.ID) (process.Facts, bool) {
	e.mu.RLock()
	s := e.subjects.byID[id]
	if s != nil {
		defer e.mu.RUnlock()
		s.asked.Store(int64(e.now()))
		return s.facts(), true
	}
	e.mu.RUnlock()
	if len(e.queue) < cap(e.queue)/2 {
		if info, ok := e.config.Process(id); ok {
			e.Meet(info)
		}
	}
	return process.Facts{}, false
}

// Run examines processes and inspects files until ctx ends; it then returns nil.
func (e *Enricher) Run(ctx context.Context) error {
	var inspecting sync.WaitGroup
	inspecting.Go(func() { e.inspectAll(ctx) })
	defer inspecting.Wait()
	x := examiner{Enricher: e, containers: containers{root: e.config.Root}}
	again := time.NewTimer(pulse.After(revisitEvery))
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			x.revisit(ctx)
			again.Reset(pulse.After(revisitEvery))
		case info := <-e.queue:
			began := time.Now()
			x.examine(info)
			e.pause(ctx, e.examining, time.Since(began))
		}
	}
}

// Stats returns the counters of now.
func (e *Enricher) Stats() Stats {
	c := &e.counters
	s := Stats{Examined: c.examined.Load(), Late: c.late.Load(), Hashed: c.hashed.Load(), Dropped: c.dropped.Load(),
		Queued: len(e.queue) + len(e.inspect), HostPreload: e.hostPreload.Load()}
	s.Packages, s.PackageError = e.packages.state()
	e.mu.RLock()
	defer e.mu.RUnlock()
	s.Processes, s.Files = len(e.subjects.byID), len(e.files.byKey)
	return s
}

// newLimiter has tokens of one microsecond of work.
func newLimiter(share float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(share*1e6), int(time.Second/time.Microsecond))
}

// Ease halves the share of one core so many times, from the next examination on.
func (e *Enricher) Ease(halvings int) { e.halvings.Store(int32(halvings)) }

// pause waits until the work just done is paid for: twice as much for each halving.
func (e *Enricher) pause(ctx context.Context, l *rate.Limiter, work time.Duration) {
	_ = l.WaitN(ctx, min(int(work/time.Microsecond)<<e.halvings.Load(), l.Burst())) // it fails only because ctx has ended
}
