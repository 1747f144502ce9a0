package main

import (
	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

const (
	// listening and unconnected are TCP_LISTEN and TCP_CLOSE of include/net/tcp_states.h; a UDP socket without a peer is in
	// the latter.
	listening   = 10
	unconnected = 7
	// maxListeners bounds the listeners that are looked at.
	maxListeners = 1024
)

// proxyFinder finds the loopback listeners whose owner itself talks outside: what is sent to them leaves the host by
// their hand (a sidecar, a stub resolver, an SSH tunnel), so it stays among the candidates.
type proxyFinder struct {
	store    *history.Store
	resolver *attribution.Resolver
}

// listeners are those whose owners talk outside: proxies is where they wait on loopback or on all addresses, the latter with
// the unspecified address, servers which of the programs wait for others than this host.
type listeners struct {
	proxies map[send.Destination]bool
	servers map[process.Program]bool
}

// find looks for them. A program that has listened is a server for as long as it talks, so that an owner who cannot be found
// for once changes no row.
func (p proxyFinder) find(former listeners) listeners {
	found := listeners{proxies: map[send.Destination]bool{}, servers: map[process.Program]bool{}}
	talkers := p.talkers()
	if len(talkers) == 0 {
		return found
	}
	for program := range former.servers {
		if talkers[program] {
			found.servers[program] = true
		}
	}
	for _, l := range allListeners() {
		_, program, ok := p.resolver.Owner(l, 0)
		if !ok || !talkers[program] {
			continue
		}
		loopback := l.Local.Addr().IsLoopback()
		if loopback || l.Local.Addr().IsUnspecified() {
			found.proxies[send.Destination{Protocol: l.Protocol, Remote: l.Local}] = true
		}
		if !loopback && l.Protocol == send.TCP { // a UDP socket without a peer may be a client's as well
			found.servers[program] = true
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

func allListeners() []send.Socket {
	var found []send.Socket
	for _, t := range []struct {
		name     string
		protocol send.Protocol
		state    uint8
	}{{"tcp", send.TCP, listening}, {"tcp6", send.TCP, listening}, {"udp", send.UDP, unconnected}, {"udp6", send.UDP, unconnected}} {
		table, err := procfs.New("").OpenNetTable("self", t.name)
		if err != nil {
			continue // no IPv6, or no /proc/net: then no proxies are known
		}
		table.Rewind()
		var s procfs.NetSocket
		for len(found) < maxListeners && table.Next(&s) {
			local := s.Local.Addr()
			if s.State == t.state && (t.protocol == send.TCP || local.IsLoopback() || local.IsUnspecified()) {
				found = append(found, send.Socket{Inode: s.Inode, UID: s.UID, Protocol: t.protocol, Local: s.Local})
			}
		}
		table.Close()
	}
	return found
}
