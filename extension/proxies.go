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
	// maxProxies bounds the loopback listeners that are looked at.
	maxProxies = 1024
)

// proxyFinder finds the loopback listeners whose owner itself talks outside: what is sent to them leaves the host by
// their hand (a sidecar, a stub resolver, an SSH tunnel), so it stays among the candidates.
type proxyFinder struct {
	store    *history.Store
	resolver *attribution.Resolver
}

// find returns where such listeners wait. A port bound to all addresses is returned with the unspecified address.
func (p proxyFinder) find() map[send.Destination]bool {
	talkers := p.talkers()
	if len(talkers) == 0 {
		return nil
	}
	found := map[send.Destination]bool{}
	for _, l := range loopbackListeners() {
		_, program, ok := p.resolver.Owner(l, 0)
		if ok && talkers[program] {
			found[send.Destination{Protocol: l.Protocol, Remote: l.Local}] = true
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

func loopbackListeners() []send.Socket {
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
		for len(found) < maxProxies && table.Next(&s) {
			if s.State == t.state && (s.Local.Addr().IsLoopback() || s.Local.Addr().IsUnspecified()) {
				found = append(found, send.Socket{Inode: s.Inode, UID: s.UID, Protocol: t.protocol, Local: s.Local})
			}
		}
		table.Close()
	}
	return found
}
