package sensor

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Source is one way to learn of sends. Run blocks until ctx ends or there will be nothing more to tell (nil), or until the
// source is lost (an error), calling emit from one goroutine at a time; Stats may be called at any time.
type Source interface {
	Run(ctx context.Context, emit func(send.Send)) error
	Stats() SourceStats
}

// SourceStats is what a source tells of itself for the status tables. Counters only grow while the source lives.
type SourceStats struct {
	Events, Bytes, Lost, Gaps uint64
	Samples, LateSamples      uint64
	SamplePeriod, MaxGap      time.Duration
	Resolution                time.Duration
	Passive, NoDestination    uint64
	Untracked                 uint64
}

// Rung is one step of a Ladder.
type Rung struct {
	Name  string // "ebpf", "packet", "sock_diag", "udp_diag", "proc"
	Level string // "L3" to "L0", "proc": what the sensor's level is while this rung carries TCP
	// Open asks the kernel for the source. An error that carries a syscall.Errno is a refusal.
	Open func() (Source, error)
}

// Ladder is how one protocol is watched, best rung first. Exactly one rung runs at a time, so nothing is counted twice.
type Ladder struct {
	Protocol string // "tcp", "udp", "raw"
	NetNS    uint64 // inode of the network namespace watched, 0 for the sensor's own
	Rungs    []Rung
}

// climber runs one ladder.
type climber struct {
	ladder Ladder
	retry  time.Duration // how long to stand on a lower rung before trying the better ones again, see pause
	log    *slog.Logger
	emit   func(send.Send)

	mu      sync.Mutex    // guards everything below
	on      int           // the rung in use, −1 for none
	short   time.Duration // the next pause for a shortage
	source  Source
	reasons []refusal // by rung: why it is not in use
	past    []SourceStats
}

type refusal struct {
	errno syscall.Errno
	text  string
}

func newClimber(l Ladder, retry time.Duration, log *slog.Logger, emit func(send.Send)) *climber {
	return &climber{ladder: l, retry: retry, log: log, emit: emit, on: -1, short: retry / 16,
		reasons: make([]refusal, len(l.Rungs)), past: make([]SourceStats, len(l.Rungs))}
}

// run keeps the best rung that the kernel grants running until ctx ends, or a source has nothing more to tell.
func (c *climber) run(ctx context.Context) {
	for ctx.Err() == nil {
		if i, src := c.open(len(c.ladder.Rungs)); src != nil && c.stand(ctx, i, src) {
			return
		}
		wait(ctx, c.pause(len(c.ladder.Rungs)))
	}
}

// stand runs the source of rung i, and moves to a better rung when one opens, until it is done, or every source is lost.
func (c *climber) stand(ctx context.Context, i int, src Source) (done bool) {
	for src != nil {
		better := make(chan step, 1)
		run, stop := context.WithCancel(ctx)
		var waiting sync.WaitGroup
		if i > 0 {
			waiting.Go(func() { c.lookUp(run, i, better, stop) })
		}
		c.set(i, src)
		began := time.Now()
		err := src.Run(run, c.emit)
		stop()
		waiting.Wait()
		c.unset(i, src, time.Since(began))
		select {
		case s := <-better:
			c.log.Info("a better source is back", "protocol", c.ladder.Protocol, "source", c.ladder.Rungs[s.rung].Name)
			i, src = s.rung, s.source
			continue
		default:
		}
		if err == nil || ctx.Err() != nil {
			return true
		}
		c.refuse(i, err)
		i, src = c.openBelow(i)
	}
	return false
}

type step struct {
	rung   int
	source Source
}

// lookUp tries the rungs above i again and again; when one opens it hands it over and ends the present source.
func (c *climber) lookUp(ctx context.Context, i int, better chan<- step, stop context.CancelFunc) {
	for wait(ctx, c.pause(i)) {
		if j, src := c.open(i); src != nil {
			better <- step{j, src}
			stop()
			return
		}
	}
}

// pause is how long to wait before the first n rungs are tried again: retry, or less at first where one of them is missing only for
// want of descriptors or memory.
func (c *climber) pause(n int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.reasons[:n] {
		if r.errno == syscall.EMFILE || r.errno == syscall.ENFILE || r.errno == syscall.ENOMEM {
			p := c.short
			c.short = min(2*c.short, c.retry)
			return p
		}
	}
	return c.retry
}

// open returns the best of the first n rungs that opens, or nil.
func (c *climber) open(n int) (int, Source) {
	for i := range n {
		src, err := c.ladder.Rungs[i].Open()
		if err == nil {
			return i, src
		}
		c.refuse(i, err)
	}
	return 0, nil
}

func (c *climber) openBelow(i int) (int, Source) {
	for i++; i < len(c.ladder.Rungs); i++ {
		src, err := c.ladder.Rungs[i].Open()
		if err == nil {
			return i, src
		}
		c.refuse(i, err)
	}
	return 0, nil
}

func (c *climber) refuse(i int, err error) {
	r := refusal{text: strings.ReplaceAll(err.Error(), "\n", "; ")} // joined errors are lines
	errors.As(err, &r.errno)
	c.mu.Lock()
	known := c.reasons[i] == r
	c.reasons[i] = r
	c.mu.Unlock()
	if !known && c.ladder.NetNS == 0 { // said once, not at every retry, nor for each namespace
		c.log.Warn("source not in use", "protocol", c.ladder.Protocol, "source", c.ladder.Rungs[i].Name, "reason", r.text)
	}
}

func (c *climber) set(i int, src Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.source, c.reasons[i] = i, src, refusal{}
}

// unset folds the counters of a source that has ended after so long into those of its rung.
func (c *climber) unset(i int, src Source, lasted time.Duration) {
	st := src.Stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.source = -1, nil
	c.past[i] = c.past[i].plus(st)
	if lasted > c.retry {
		c.short = c.retry / 16
	}
}

// plus adds the counters of b to a; what is not a counter is b's, except the gap, of which the longest stays.
func (a SourceStats) plus(b SourceStats) SourceStats {
	b.Events += a.Events
	b.Bytes += a.Bytes
	b.Lost += a.Lost
	b.Gaps += a.Gaps
	b.Samples += a.Samples
	b.LateSamples += a.LateSamples
	b.Passive += a.Passive
	b.NoDestination += a.NoDestination
	b.Untracked += a.Untracked
	b.MaxGap = max(b.MaxGap, a.MaxGap)
	return b
}

// wait returns true after d, or false as soon as ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
