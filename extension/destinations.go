package main

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// destinations knows what kind of destination an address is for this host, as its interfaces and local proxies come and
// go.
type destinations struct {
	subnets atomic.Pointer[[]netip.Prefix]
	local   atomic.Pointer[listeners]
	find    func(former listeners) listeners
}

func newDestinations() *destinations {
	d := &destinations{}
	d.refresh()
	return d
}

// class returns the class of dst. It is called for every new pair and every row.
func (d *destinations) class(dst send.Destination) send.Class {
	class := send.Classify(dst.Remote.Addr(), *d.subnets.Load())
	if class == send.Loopback && d.isProxy(dst) {
		return send.LoopbackProxy
	}
	return class
}

func (d *destinations) isProxy(at send.Destination) bool {
	local := d.local.Load()
	if local == nil {
		return false
	}
	for _, addr := range []netip.Addr{at.Remote.Addr(), netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if local.proxies[send.Destination{Protocol: at.Protocol, Remote: netip.AddrPortFrom(addr, at.Remote.Port())}] {
			return true
		}
	}
	return false
}

// listens reports whether a program that talks outside also listens on a socket that is not loopback.
func (d *destinations) listens(p process.Program) bool {
	local := d.local.Load()
	return local != nil && local.servers[p]
}

// run looks at the interfaces and the local proxies every half minute until ctx ends.
func (d *destinations) run(ctx context.Context) error {
	return every(ctx, 30*time.Second, d.refresh)
}

// refresh keeps the last known subnets if the interfaces cannot be read.
func (d *destinations) refresh() {
	if d.find != nil {
		var former listeners
		if local := d.local.Load(); local != nil {
			former = *local
		}
		local := d.find(former)
		d.local.Store(&local)
	}
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
