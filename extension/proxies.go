package main

import (
	"net/netip"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

const (
	// listening is TCP_LISTEN of include/net/tcp_states.h.
	listening = 10
	// maxProxies bounds the loopback listeners that are looked at.
	maxProxies = 1024
)

// proxyFinder finds the loopback listeners whose owner itself talks outside: what is sent to them leaves the host by
// their hand (a sidecar, a local resolver, an SSH tunnel), so it stays among the candidates.
type proxyFinder struct {
	store    *history.Store
	resolver *attribution.Resolver
}

// find returns where such listeners wait. A port bound to all addresses is returned with the unspecified address.
func (p proxyFinder) find() map[netip.AddrPort]bool {
	talkers := p.talkers()
	if len(talkers) == 0 {
		return nil
	}
	found := map[netip.AddrPort]bool{}
	for _, l := range loopbackListeners() {
		_, program, ok := p.resolver.Owner(send.Socket{Inode: l.Inode, UID: l.UID, Protocol: send.TCP, Local: l.Local}, 0)
		if ok && talkers[program] {
			found[l.Local] = true
		}
	}
	return found
}

// talkers are the programs known to have sent outside.
func (p proxyFinder) talkers() map[process.Program]bool {
	talkers := map[process.Program]bool{}
	p.store.Flows(history.Filter{}, func(f *history.Flow) {
		if f.Key.Program.Attributed() && send.Classify(f.Destination.Remote.Addr(), nil) <= send.Metadata {
			talkers[f.Key.Program] = true
		}
	})
	return talkers
}

func loopbackListeners() []procfs.NetSocket {
	var found []procfs.NetSocket
	for _, name := range []string{"tcp", "tcp6"} {
		table, err := procfs.New("").OpenNetTable("self", name)
		if err != nil {
			continue // no IPv6, or no /proc/net: then no proxies are known
		}
		table.Rewind()
		var s procfs.NetSocket
		for len(found) < maxProxies && table.Next(&s) {
			if s.State == listening && (s.Local.Addr().IsLoopback() || s.Local.Addr().IsUnspecified()) {
				found = append(found, s)
			}
		}
		table.Close()
	}
	return found
}
