package attribution

import (
	"errors"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// ownerBySender answers by the PID a source gives. A PID seen lately is trusted; one that has not been is looked up, which
// tells it from an earlier process of that number. ok is false if the process has ended unseen.
func (r *Resolver) ownerBySender(pid int32, key socketKey) (id process.ID, program process.Program, ok bool) {
	now := r.now()
	r.mu.RLock()
	e := r.processes.live[pid]
	fresh := e != nil && now-e.checked.Load() < recheckAfter
	if fresh {
		id, program = e.info.ID, e.info.Program
	}
	_, remembered := r.sockets.byKey[key]
	r.mu.RUnlock()
	if !fresh {
		r.counters.misses.Add(1)
		r.scanning.Lock()
		seen, err := r.know(subject{id: process.ID{PID: pid}}, &r.scanner.buffer)
		r.scanning.Unlock()
		switch {
		case errors.Is(err, errKernelThread):
			r.counters.kernel.Add(1)
			return process.ID{}, process.Program{Path: process.Kernel}, true
		case err != nil:
			r.counters.vanished.Add(1)
			return process.ID{}, process.Program{}, false
		}
		r.mu.RLock()
		e, id, program = seen, seen.info.ID, seen.info.Program
		r.mu.RUnlock()
	} else {
		r.counters.hits.Add(1)
	}
	if !remembered {
		r.mu.Lock()
		r.sockets.remember(key, socket{owner: e, verified: now, looked: r.scans.Load()})
		r.mu.Unlock()
	}
	return id, program, true
}
