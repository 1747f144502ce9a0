package attribution

import (
	"slices"

	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// suspect notes that events were lost: until the next relist nothing is certain that may have changed since the last one.
func (w *witness) suspect() {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := &r.lineage; l.doubt == 0 && l.count > 0 {
		l.doubt = max(w.last, 1)
	}
}

// doubtful reports whether events were lost since the last relist.
func (r *Resolver) doubtful() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.lineage.doubt != 0
}

// relist looks at all known processes again after events were lost: which have ended, and which run another program. What
// those ran that have ended is not certain, and is forgotten. Processes that began unseen are met when they act.
func (w *witness) relist() {
	r := w.r
	r.counters.events.relists.Add(1)
	began := sinceBoot()
	pids, whole, err := r.fs.AppendPIDs(w.pids[:0], maxListed, &w.buffer)
	w.pids = pids
	if err != nil {
		return
	}
	for pid, k := range r.livingKin() {
		if _, there := slices.BinarySearch(pids, pid); there || !whole {
			w.verify(pid, k, began)
		} else {
			w.mourn(k, began)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lineage.doubt = 0
}

// livingKin returns the processes known to live, by PID.
func (r *Resolver) livingKin() map[int32]*kin {
	r.mu.RLock()
	defer r.mu.RUnlock()
	living := make(map[int32]*kin)
	for pid, k := range r.lineage.byPID {
		if k.ended == 0 {
			living[pid] = k
		}
	}
	return living
}

// verify looks whether k lives and runs what it ran.
func (w *witness) verify(pid int32, k *kin, now int64) {
	p, err := w.r.fs.OpenPID(pid)
	if err != nil {
		w.mourn(k, now)
		return
	}
	defer p.Close()
	var stat procfs.PIDStat
	err = p.Stat(&w.buffer, &stat)
	w.r.mu.RLock()
	same := err == nil && k.is(stat.StartTicks) && (stat.State != 'Z' || stat.Threads > 1)
	w.r.mu.RUnlock()
	if !same {
		w.mourn(k, now)
	} else if k.image != nil && k.image.stack != stat.StartStack {
		w.meet(pid, 0, nil)
	}
}

// mourn notes the end of a process whose last program is not certain.
func (w *witness) mourn(k *kin, now int64) {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lineage.show(k, nil, k.read)
	r.lineage.end(k, now)
}
