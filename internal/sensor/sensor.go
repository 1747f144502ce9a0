// Package sensor runs the sources, has each send attributed and recorded, and knows how well it sees: level, losses,
// late samples, unattributed sends. It owns every goroutine of the watching half; it scores nothing and serves nothing.
package sensor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Config wires a Sensor. Owner, Record and at least one Ladder are required.
type Config struct {
	Ladders []Ladder
	// Owner says who sent; false if nobody can be named. It is called on the sources' goroutines.
	Owner func(sd *send.Send) (process.ID, process.Program, bool)
	// Forget is told that a socket has ended. May be nil.
	Forget func(s send.Socket)
	// Record files the send. It is called on the sources' goroutines.
	Record func(program process.Program, id process.ID, sd *send.Send)
	// Exclude is the sensor's own process, by PID and start, never by path.
	Exclude process.ID
	// Background are further long-running parts (attribution, ranking, serving); each must return when its context ends.
	Background []func(context.Context) error
	// Retry is how long to stand on a lower rung before a better one is tried again. Default 1 min.
	Retry time.Duration
	// Log receives what an operator should know. Default slog.Default.
	Log *slog.Logger
}

// Sensor watches until its Run ends.
type Sensor struct {
	config  Config
	started boottime.Time
	first   []*climber // those of the configuration

	sends        atomic.Uint64
	unattributed atomic.Uint64
	own          atomic.Uint64

	mu        sync.Mutex // guards everything below
	climbers  []*climber
	ended     map[string]SourceStats // counters of ladders that are gone, by protocol
	lastError string
}

// New returns a sensor that does nothing until Run.
func New(c Config) (*Sensor, error) {
	if len(c.Ladders) == 0 || c.Owner == nil || c.Record == nil {
		return nil, errors.New("sensor: ladders, an owner function and a record function are required")
	}
	if c.Retry <= 0 {
		c.Retry = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Sensor{config: c, started: boottime.Now(), ended: map[string]SourceStats{}}
	s.first = s.add(c.Ladders)
	return s, nil
}

// Run watches until ctx ends, then waits for everything it started. A background part that fails is named in LastError
// and does not end the others.
func (s *Sensor) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, c := range s.first {
		all.Go(func() { c.run(ctx) })
	}
	for _, part := range s.config.Background {
		all.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				s.Fail(err)
			}
		})
	}
	all.Wait()
	return nil
}

// Watch runs further ladders beside those of the configuration, for instance of another network namespace, until ctx ends or
// none of their sources has anything more to tell.
// Their rows go with them, their counters stay in the totals.
func (s *Sensor) Watch(ctx context.Context, ladders []Ladder) {
	mine := s.add(ladders)
	var all sync.WaitGroup
	for _, c := range mine {
		all.Go(func() { c.run(ctx) })
	}
	all.Wait()
	s.remove(mine)
}

func (s *Sensor) add(ladders []Ladder) []*climber {
	var added []*climber
	for _, l := range ladders {
		added = append(added, newClimber(l, s.config.Retry, s.config.Log, s.emit))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.climbers = append(s.climbers, added...)
	return added
}

func (s *Sensor) remove(gone []*climber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.climbers = slices.DeleteFunc(s.climbers, func(c *climber) bool { return slices.Contains(gone, c) })
	for _, c := range gone {
		for _, row := range c.rows() {
			s.ended[c.ladder.Protocol] = s.ended[c.ladder.Protocol].plus(row.Stats)
		}
	}
}

func (s *Sensor) snapshot() []*climber {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.climbers)
}

// Fail notes an error for the status table and logs it.
func (s *Sensor) Fail(err error) {
	s.config.Log.Error("part of the sensor failed", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastError = err.Error()
}

// emit attributes and records one send on the goroutine of its source.
func (s *Sensor) emit(sd send.Send) {
	id, program, ok := s.config.Owner(&sd)
	switch {
	case !ok:
		s.unattributed.Add(1)
		id, program = process.ID{}, process.Program{UID: sd.Socket.UID}
	case id == s.config.Exclude:
		s.own.Add(1)
		return
	}
	s.sends.Add(1)
	s.config.Record(program, id, &sd)
	if s.config.Forget != nil && (sd.Kind == send.Close || sd.Kind == send.Failed) {
		s.config.Forget(sd.Socket)
	}
}
