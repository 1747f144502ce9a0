package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/namespace"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
)

// settleTime is how long the programs of eBPF must have told the same before the namespaces are watched accordingly: protocols
// change hands one after the other.
const settleTime = 200 * time.Millisecond

// restTime is the time between two looks for namespaces where there is nothing to watch in them, but only to count them.
const restTime = 10 * time.Second

// namespaces has the network namespaces of the host other than the sensor's own watched, for what eBPF does not tell of them.
type namespaces struct {
	out    *lookout
	sensor func() *sensor.Sensor
	now    atomic.Pointer[namespace.Watcher]
	spare  atomic.Bool // their samples give way
}

// run watches until ctx ends. Whenever the programs tell more or less than before, the watch begins anew.
func (n *namespaces) run(ctx context.Context) error {
	if n.out.cfg.MaxNetNamespaces == 0 {
		return nil
	}
	n.out.trace.await(ctx, n.out.cfg.Level)
	for ctx.Err() == nil {
		if err := n.while(ctx); err != nil {
			return err
		}
	}
	return nil
}

// while watches as long as the programs tell the same.
func (n *namespaces) while(ctx context.Context) error {
	told, changed := n.out.trace.told()
	select {
	case <-ctx.Done():
		return nil
	case <-changed:
		return nil
	case <-time.After(settleTime):
	}
	ctx, stop := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer stop()
	waiting.Go(func() {
		select {
		case <-ctx.Done():
		case <-changed:
			stop()
		}
	})
	var rest time.Duration
	if told.all() {
		rest = restTime
	}
	w, err := namespace.New(namespace.Config{Max: n.out.cfg.MaxNetNamespaces, Rest: rest, Spare: n.spare.Load,
		Watch: func(ctx context.Context, one namespace.Namespace) { n.sensor().Watch(ctx, n.out.elsewhere(one, told)) }})
	if err != nil {
		return err
	}
	n.now.Store(w)
	return w.Run(ctx)
}

// stats is what is known of the namespaces now.
func (n *namespaces) stats() namespace.Stats {
	if w := n.now.Load(); w != nil {
		return w.Stats()
	}
	return namespace.Stats{}
}
