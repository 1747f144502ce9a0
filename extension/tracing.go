package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// attachTime bounds the wait of UDP and raw sockets for the programs to be attached or refused: a tenth of a second as a rule, and ten
// seconds on a processor that is emulated. Who does not wait stands a level below for a minute.
const attachTime = 30 * time.Second

// tracing is one set of programs in the kernel, shared by the ladders of TCP, UDP and raw sockets. The ladder of TCP opens
// and runs it; the others receive what it tells of theirs while they stand on it.
type tracing struct {
	sampler source.TCPConfig

	mu        sync.Mutex
	attempted chan struct{} // closed once the ladder of TCP has asked the kernel
	asked     bool
	current   *traced // while it is open
	why       error   // the latest reason for which the programs that tell every send were not, or no longer, attached
	receivers map[string]source.Emit
	changed   chan struct{} // closed when current or receivers change
}

func newTracing(sampler source.TCPConfig) *tracing {
	return &tracing{sampler: sampler, attempted: make(chan struct{}), receivers: map[string]source.Emit{}, changed: make(chan struct{})}
}

// traced runs the programs and, beside them, a sampler that they hold to what they did not tell.
type traced struct {
	*source.EBPF
	owner *tracing
	ended chan struct{}

	mu sync.Mutex
	// followers read, at level L2, what is sent on the connections of their network namespace while they are open; guarded by mu
	followers map[uint64]*source.TCP
}

// open asks the kernel for the programs of a level.
func (t *tracing) open(level source.Level) func() (sensor.Source, error) {
	return func() (sensor.Source, error) {
		e, err := source.NewEBPF(source.EBPFConfig{MaxLevel: level, Cgroup: cgroup2Root()})
		if err == nil && e.Level() < level {
			err = errors.Join(fmt.Errorf("the kernel grants level L%d only", e.Level()), missing(e), e.Close())
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.asked && (err == nil || level == source.Connections) {
			t.asked = true
			close(t.attempted)
		}
		if level == source.EverySend {
			t.why = err
		}
		if err != nil {
			return nil, err
		}
		r := &traced{EBPF: e, owner: t, ended: make(chan struct{}), followers: map[uint64]*source.TCP{}}
		if t.current == nil || level > t.current.Level() {
			t.current = r
			t.change()
		}
		return rung{r}, nil
	}
}

func missing(e *source.EBPF) error {
	var all []error
	for _, m := range e.Missing() {
		all = append(all, m)
	}
	return errors.Join(all...)
}

// Run emits TCP to emit and the rest to whoever stands on the programs, until ctx ends or the programs are lost.
func (r *traced) Run(ctx context.Context, emit source.Emit) (err error) {
	defer func() { r.leave(err) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg := r.owner.sampler
	cfg.TakenOver, cfg.Told, cfg.OpensOnly = true, r.tells, r.Level() == source.Connections
	// without sock_diag the programs do alone: what was there before them stays unseen
	sampler, refused := source.NewTCP(cfg)
	ended := make(chan error, 1)
	go func() {
		ended <- r.EBPF.Run(ctx, func(s send.Send) {
			if s.Kind == send.Open && r.Level() == source.Connections {
				r.follow(s) // what is sent on it meanwhile is not the programs' to tell
			}
			r.owner.route(s, emit)
		})
		stop()
	}()
	if refused == nil {
		err = follower{sampler, r, 0}.Run(ctx, r.Backfill(emit))
	} else {
		<-ctx.Done()
	}
	stop()
	return errors.Join(<-ended, err)
}

// tells reports whether the programs tell of a connection. Where their records got lost it may be any.
func (r *traced) tells(cookie uint64) bool {
	_, known := r.Owner(cookie)
	stats := r.EBPF.Stats()
	return known || stats.Lost > 0 || stats.Untracked > 0
}

func (r *traced) leave(why error) {
	r.owner.mu.Lock()
	defer r.owner.mu.Unlock()
	if r.Level() == source.EverySend {
		r.owner.why = why
	}
	if r.owner.current == r {
		r.owner.current = nil
		r.owner.change()
	}
	close(r.ended)
}

// await waits until the kernel was asked for the programs, if the level allows for any.
func (t *tracing) await(ctx context.Context, level string) {
	if level != "L3" && level != "L2" {
		return
	}
	select {
	case <-ctx.Done():
	case <-t.attempted:
	}
}

func (t *tracing) route(s send.Send, tcp source.Emit) {
	if s.Socket.Protocol == send.TCP {
		tcp(s)
		return
	}
	name := "raw"
	if s.Socket.Protocol == send.UDP {
		name = "udp"
	}
	t.mu.Lock()
	emit := t.receivers[name]
	t.mu.Unlock()
	if emit != nil {
		emit(s)
	}
}

// shared is the part of the programs that a protocol other than TCP stands on.
type shared struct {
	protocol string
	owner    *tracing
	on       *traced

	mu    sync.Mutex
	stats source.Stats
}

// share returns how the ladder of a protocol opens its part: it waits for the ladder of TCP to have asked the kernel.
func (t *tracing) share(protocol string) func() (sensor.Source, error) {
	return func() (sensor.Source, error) {
		select {
		case <-t.attempted:
		case <-time.After(attachTime):
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.current == nil || t.current.Level() < source.EverySend {
			return nil, detached{"are not attached", t.why}
		}
		return rung{&shared{protocol: protocol, owner: t, on: t.current,
			stats: source.Stats{Name: "ebpf", Protocol: protocol, Quality: send.Exact}}}, nil
	}
}

// Run receives until ctx ends or the programs do.
func (s *shared) Run(ctx context.Context, emit source.Emit) error {
	s.owner.receive(s.protocol, func(one send.Send) {
		s.mu.Lock()
		s.stats.Events++
		s.stats.Bytes += one.Bytes
		s.mu.Unlock()
		emit(one)
	})
	defer s.owner.receive(s.protocol, nil)
	select {
	case <-ctx.Done():
		return nil
	case <-s.on.ended:
		s.owner.mu.Lock()
		defer s.owner.mu.Unlock()
		return detached{"have ended", s.owner.why}
	}
}

// detached says what the programs are, and leaves why to the ladder of TCP, which says it; their errno is that of all.
type detached struct {
	are string
	why error
}

func (d detached) Error() string { return "the programs that tell every send " + d.are }

func (d detached) Unwrap() error { return d.why }

// Stats is what was received.
func (s *shared) Stats() source.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (t *tracing) receive(protocol string, emit source.Emit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.receivers[protocol] = emit; emit == nil {
		delete(t.receivers, protocol)
	}
	t.change()
}

// cgroup2Root is where a cgroup2 hierarchy is mounted, or nothing: then the programs do not learn the destinations of
// unconnected UDP sockets.
func cgroup2Root() string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	return ""
}
