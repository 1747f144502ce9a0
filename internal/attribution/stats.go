package attribution

import "sync/atomic"

// Stats is what a Resolver knows about itself. Counters only grow.
type Stats struct {
	// Hits and Misses count calls of Owner answered from memory and by looking; Kernel and Unattributed those answered
	// with the kernel and with nobody, Deferred the looks put off for lack of budget.
	Hits, Misses, Kernel, Unattributed, Deferred uint64
	// Scans counts processes whose descriptors were read, FullScans passes over all of them, Descriptors the
	// descriptors looked up in both, Verified those looked up again to make sure.
	Scans, FullScans, Descriptors, Verified uint64
	// Vanished counts processes that ended between two look-ups, Reused PIDs found to belong to another process.
	Vanished, Reused uint64
	// EvictedSockets, EvictedProcesses and Unindexed count what was forgotten or never noted for lack of room.
	EvictedSockets, EvictedProcesses, Unindexed uint64
	// Unreadable is how many processes now alive refused to show their descriptors. Hidden: hidepid probably conceals
	// others altogether.
	Unreadable int
	Hidden     bool
	// Sockets and Processes are those remembered now, Exited the ended among the latter, Indexed the known descriptors,
	// Text the bytes of text kept.
	Sockets, Processes, Exited, Indexed, Text int
	// Events is about following process events.
	Events Events
}

// counters are the parts of Stats that several goroutines increase.
type counters struct {
	hits, misses, kernel, unattributed, deferred atomic.Uint64
	scans, fullScans, descriptors, verified      atomic.Uint64
	vanished, reused, unindexed                  atomic.Uint64

	events struct {
		seen, lost, relists, read, told, late, denied, skipped, pauses, recalled atomic.Uint64
	}
}

// Stats returns the counters of now. It waits for a scan in progress.
func (r *Resolver) Stats() Stats {
	c := &r.counters
	s := Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Kernel: c.kernel.Load(), Unattributed: c.unattributed.Load(),
		Deferred: c.deferred.Load(), Scans: c.scans.Load(), FullScans: c.fullScans.Load(),
		Descriptors: c.descriptors.Load(), Verified: c.verified.Load(), Vanished: c.vanished.Load(),
		Reused: c.reused.Load(), Unindexed: c.unindexed.Load(), Events: r.events(),
	}
	r.scanning.Lock()
	s.Unreadable, s.Hidden, s.Indexed = r.scanner.unreadable(), r.scanner.hidden, len(r.scanner.index.holders)
	r.scanning.Unlock()
	r.mu.RLock()
	defer r.mu.RUnlock()
	s.Sockets, s.EvictedSockets = len(r.sockets.byKey), r.sockets.evicted
	s.Processes, s.Exited = len(r.processes.byID), len(r.processes.exited)
	s.Text, s.EvictedProcesses = r.processes.text, r.processes.evicted
	return s
}
