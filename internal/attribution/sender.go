package attribution

import (
	"errors"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// ownerBySender answers by the PID a source gives and the time of the send, 0 for now. A PID seen lately is trusted; one
// that has not been is looked up, which tells it from an earlier process of that number. ok is false if the process has
// ended unseen.
func (r *Resolver) ownerBySender(pid int32, at int64, key socketKey) (id process.ID, program process.Program, ok bool) {
	now := r.now()
	r.mu.RLock()
	e := r.processes.live[pid]
	fresh := e != nil && now-e.checked.Load() < recheckAfter && e.lived(at)
	if fresh {
		id, program = e.id, e.program
	}
	_, remembered := r.sockets.byKey[key]
	r.mu.RUnlock()
	if !fresh {
		r.counters.misses.Add(1)
		seen, err := r.sentBy(pid, at)
		switch {
		case errors.Is(err, errKernelThread):
			r.counters.kernel.Add(1)
			return process.ID{}, process.Program{Path: process.Kernel}, true
		case err != nil:
			r.counters.vanished.Add(1)
			return process.ID{}, process.Program{}, false
		}
		r.mu.RLock()
		e, id, program = seen, seen.id, seen.program
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

// sentBy finds the process that had the PID at that time: one that has ended by what was witnessed of it, one that lives by
// looking.
func (r *Resolver) sentBy(pid int32, at int64) (*entry, error) {
	if e := r.ended(pid, at, asked); e != nil {
		return e, nil
	}
	r.scanning.Lock()
	e, err := r.know(subject{id: process.ID{PID: pid}}, &r.scanner.buffer)
	r.scanning.Unlock()
	if err == nil && at != 0 {
		r.mu.RLock()
		lived := e.lived(at)
		r.mu.RUnlock()
		if !lived {
			e, err = nil, procfs.ErrGone // the PID is in use again
		}
	}
	if errors.Is(err, procfs.ErrGone) {
		by := gone
		if r.witness.catchUp() {
			by = witnessed
		}
		if e := r.ended(pid, at, by); e != nil {
			return e, nil
		}
	}
	return e, err
}

// lived reports whether the process had begun at that time.
func (e *entry) lived(at int64) bool { return at == 0 || e.born <= at }
