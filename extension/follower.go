package main

import (
	"context"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// follower is a sampler of one network namespace that reads the connections the programs tell of while they are open.
type follower struct {
	*source.TCP
	by    *traced
	netns uint64
}

// Run is that of the sampler.
func (f follower) Run(ctx context.Context, emit source.Emit) error {
	f.by.mu.Lock()
	f.by.followers[f.netns] = f.TCP
	f.by.mu.Unlock()
	defer func() {
		f.by.mu.Lock()
		defer f.by.mu.Unlock()
		delete(f.by.followers, f.netns)
	}()
	return f.TCP.Run(ctx, emit)
}

// follow has a connection followed in its network namespace, if that is watched.
func (r *traced) follow(open send.Send) {
	r.mu.Lock()
	f := r.followers[open.Socket.NetNS]
	r.mu.Unlock()
	if f != nil {
		f.Follow(open)
	}
}
