package main

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// destinations knows what kind of destination an address is for this host, as its interfaces come and go.
type destinations struct {
	subnets atomic.Pointer[[]netip.Prefix]
}

func newDestinations() *destinations {
	d := &destinations{}
	d.refresh()
	return d
}

func (d *destinations) class(dst send.Destination) send.Class {
	return send.Classify(dst.Remote.Addr(), *d.subnets.Load())
}

// run reads the interfaces every half minute until ctx ends.
func (d *destinations) run(ctx context.Context) error {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			d.refresh()
		}
	}
}

// refresh keeps the last known subnets if the interfaces cannot be read.
func (d *destinations) refresh() {
	addrs, err := net.InterfaceAddrs()
	if err != nil && d.subnets.Load() != nil {
		return
	}
	subnets := []netip.Prefix{}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			subnets = append(subnets, p.Masked())
		}
	}
	d.subnets.Store(&subnets)
}
