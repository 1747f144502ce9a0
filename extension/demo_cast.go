package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// actor is one sender of the demo: an executable of its own with a role it alone knows, and the record it kept.
type actor struct {
	role   string
	beacon bool
	path   string
	port   uint16
	config simulate.SenderConfig
	each   time.Duration // > 0: a new process for each beat, this far apart

	mu   sync.Mutex // guards sent
	sent []simulate.Sent
}

// cast is the demo's senders, their sinks and their directory.
type cast struct {
	dir    string
	actors []*actor
	sinks  []*simulate.Sink
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex // guards failed
	failed error
}

// names are what the senders' executables are called, drawn anew each run; none says what it does.
var names = []string{"ledgerd", "tilecache", "imgproxy-w", "queuectl", "statsync", "hostinv", "meshnode", "dbshim", "logtail", "schedw",
	"kvstored", "pkgwatch"}

// newCast copies this executable under distinct names and opens a sink for each sender.
func newCast(ctx context.Context, watch time.Duration) (*cast, error) {
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	dir, err := os.MkdirTemp("", "beaconwatch-demo-")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	c := &cast{dir: dir, actors: roles(r, watch)}
	r.Shuffle(len(c.actors), func(i, j int) { c.actors[i], c.actors[j] = c.actors[j], c.actors[i] })
	ctx, c.stop = context.WithCancel(ctx)
	for i, name := range r.Perm(len(names))[:len(c.actors)] {
		a := c.actors[i]
		a.path = filepath.Join(dir, names[name])
		if err := copySelf(a.path); err != nil {
			c.close()
			return nil, fmt.Errorf("demo: %w", err)
		}
		sink, err := simulate.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			c.close()
			return nil, fmt.Errorf("demo: %w", err)
		}
		c.sinks = append(c.sinks, sink)
		a.config.Network, a.config.Address, a.config.Seed = "tcp4", sink.Addr().String(), r.Uint64()
		a.port = netip.MustParseAddrPort(a.config.Address).Port()
		c.ended.Go(func() { c.fail(sink.Run(ctx)) })
	}
	return c, nil
}

// roles are three beacons and three benign neighbours, each with drawn parameters and bounded in count and time.
func roles(r *rand.Rand, watch time.Duration) []*actor {
	between := func(low, high time.Duration) time.Duration { return low + rand.N(high-low) }
	all := []*actor{
		{role: "beacon with jitter", beacon: true, config: simulate.SenderConfig{Shape: simulate.Beat,
			Interval: between(2*time.Second, 3*time.Second), Jitter: 0.1 + 0.1*r.Float64(), Size: 100 + r.IntN(200), Reconnect: r.IntN(2) == 0}},
		{role: "beacon, a new process each beat", beacon: true, each: between(2500*time.Millisecond, 3500*time.Millisecond),
			config: simulate.SenderConfig{Shape: simulate.Once, Size: 200 + r.IntN(300)}},
		{role: "chunked exfiltration", beacon: true, config: simulate.SenderConfig{Shape: simulate.Chunks,
			Interval: between(700*time.Millisecond, 1300*time.Millisecond), Size: 48<<10 + r.IntN(64<<10)}},
		{role: "bursty client", config: simulate.SenderConfig{Shape: simulate.Bursts, Interval: between(3*time.Second, 5*time.Second),
			Size: 900, Spread: 700}},
		{role: "Poisson sender", config: simulate.SenderConfig{Shape: simulate.Random, Interval: between(1200*time.Millisecond, 2*time.Second),
			Size: 600, Spread: 450}},
		{role: "idle keepalive", config: simulate.SenderConfig{Shape: simulate.Idle}},
	}
	for _, a := range all {
		a.config.Count, a.config.For = 1000, watch
	}
	return all
}

// copySelf copies the running executable to path.
func copySelf(path string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, self)
	return errors.Join(err, out.Close())
}

// play runs the senders until ctx ends; without the beacons if they stay silent.
func (c *cast) play(ctx context.Context, beacons bool) error {
	var playing sync.WaitGroup
	for _, a := range c.actors {
		if a.beacon && !beacons {
			continue
		}
		playing.Go(func() { c.fail(a.play(ctx)) })
	}
	playing.Wait()
	<-ctx.Done()
	return nil
}

// play runs the actor's executable once, or once for each beat.
func (a *actor) play(ctx context.Context) error {
	if a.each == 0 {
		return a.spawn(ctx)
	}
	tick := time.NewTicker(a.each)
	defer tick.Stop()
	for {
		if err := a.spawn(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// spawn runs one process of the actor and takes down the record it prints.
func (a *actor) spawn(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	cfg, err := json.Marshal(a.config)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, a.path, senderCommandName)
	cmd.Stdin = bytes.NewReader(cfg)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s simulate.Sent
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return fmt.Errorf("%s: record: %w", a.role, err)
		}
		a.mu.Lock()
		a.sent = append(a.sent, s)
		a.mu.Unlock()
	}
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w: %s", a.role, err, trouble.String())
	}
	return nil
}

// record returns what the actor says it sent, in order.
func (a *actor) record() []simulate.Sent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(slices.Values(a.sent), func(x, y simulate.Sent) int { return int(x.UnixNano - y.UnixNano) })
}

func (c *cast) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = errors.Join(c.failed, err)
}

func (c *cast) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// close ends the sinks and removes the copies.
func (c *cast) close() {
	c.stop()
	c.ended.Wait()
	os.RemoveAll(c.dir)
}
