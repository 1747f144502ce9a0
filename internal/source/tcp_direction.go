package source

import (
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// opener deduces from a socket's own state and counters who opened the connection; undecided if they do not tell.
//
// A SYN sent decides at once. Later the sequence space the peer acknowledged exceeds the payload by the SYN if it was ours
// (tcp_snd_una_update counts it; a passive socket starts after its SYN-ACK), and by the FIN once that is acknowledged,
// which for a living socket its state says. For a destroyed one the count of delivered segments says it, unless the FIN
// rode on payload; and nothing in flight may be missing.
func opener(s *sockdiag.Socket) direction {
	switch s.State {
	case sockdiag.SynSent:
		return outbound
	case sockdiag.SynReceived, sockdiag.NewSynReceived:
		return inbound
	}
	i := &s.Info
	if !i.CountsSent() || i.Unacked != 0 {
		return undecided
	}
	extra := int64(i.BytesAcked) - int64(i.Sent())
	switch s.State {
	case sockdiag.FinWait2:
		extra--
	case sockdiag.Closed:
		switch {
		case i.Delivered == 0: // cleared
			return undecided
		case extra == 2:
			return outbound
		case extra == 1 && i.TotalRetrans == 0 && i.Delivered == i.DataSegsOut+2: // the handshake and a FIN of its own
			return inbound
		case extra == 1:
			return undecided
		}
	}
	switch extra {
	case 0:
		return inbound
	case 1:
		return outbound
	}
	return undecided
}

const (
	// listenerRefresh is the least distance of two walks over the listeners, each a tenth of what one over an idle host's
	// connections costs; listenerUrgent is that of walks on account of a connection that was over before the next.
	listenerRefresh = 100 * time.Millisecond
	listenerUrgent  = time.Millisecond
	// listenerMemory is how long a listener counts after it was last seen: connections outlive the listener that
	// accepted them, for instance across the restart of a server.
	listenerMemory = 5 * time.Minute
	// maxListeners bounds the memory of listeners; a host has tens.
	maxListeners = 16384
)

// listeners remembers where this host listens: a connection whose local end is a listener's was opened from elsewhere.
type listeners struct {
	seen    map[netip.AddrPort]boottime.Time
	refresh boottime.Time
}

// add notes a listener seen at now.
func (l *listeners) add(at netip.AddrPort, now boottime.Time) {
	if _, known := l.seen[at]; known || len(l.seen) < maxListeners {
		l.seen[at] = now
	}
}

// expire forgets listeners gone for long.
func (l *listeners) expire(now boottime.Time) {
	for at, seen := range l.seen {
		if now.Sub(seen) > listenerMemory {
			delete(l.seen, at)
		}
	}
}

// has reports whether a listener on local, or on its port at any address, is or recently was there.
func (l *listeners) has(local netip.AddrPort) bool {
	for _, addr := range [...]netip.Addr{local.Addr(), netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if _, ok := l.seen[netip.AddrPortFrom(addr, local.Port())]; ok {
			return true
		}
	}
	return false
}
