package main

import (
	"context"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// told is what the programs of eBPF tell at a time, of all network namespaces.
type told struct {
	by       *traced // of TCP; nil if there are no programs
	udp, raw bool
}

// all reports whether they tell of every send, so that in a namespace younger than they there is nothing else to watch.
func (t told) all() bool {
	return t.by != nil && t.by.Level() == source.EverySend && t.udp && t.raw
}

// told returns what the programs tell now, and a channel that is closed when that changes.
func (t *tracing) told() (told, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return told{by: t.current, udp: t.receivers["udp"] != nil, raw: t.receivers["raw"] != nil}, t.changed
}

// change says that what the programs tell is another; with mu held.
func (t *tracing) change() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// yield returns what a source of another kind is to be run with instead of emit: whatever the programs tell, it does not, from
// the moment on at which they do. Sources change hands while connections go on.
func (t *tracing) yield(protocol string, emit source.Emit) source.Emit {
	if protocol != "tcp" {
		return func(s send.Send) {
			if told, _ := t.told(); protocol == "udp" && !told.udp || protocol == "raw" && !told.raw {
				emit(s)
			}
		}
	}
	var by *traced
	pass := emit
	return func(s send.Send) {
		if told, _ := t.told(); told.by != by {
			if by, pass = told.by, emit; by != nil {
				pass = by.Backfill(emit)
			}
		}
		pass(s)
	}
}

// yielding is a source that the programs hold to what they do not tell.
type yielding struct {
	sensor.Source
	protocol string
	trace    *tracing
}

// Run is that of the source.
func (g yielding) Run(ctx context.Context, emit func(send.Send)) error {
	return g.Source.Run(ctx, g.trace.yield(g.protocol, emit))
}

// yieldingAll makes the sources of ladders without eBPF yield.
func (t *tracing) yieldingAll(ladders []sensor.Ladder) []sensor.Ladder {
	for _, l := range ladders {
		for i, r := range l.Rungs {
			l.Rungs[i].Open = func() (sensor.Source, error) {
				s, err := r.Open()
				if err != nil {
					return nil, err
				}
				return yielding{s, l.Protocol, t}, nil
			}
		}
	}
	return ladders
}
