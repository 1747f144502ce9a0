package attribution

import (
	"context"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// reapEvery is how often ended processes are looked for, maxRechecks how many living ones are looked at again each time
// for a reused PID or another program, reapShare the share of one core this may take on a host with very many processes.
const (
	reapEvery   = 2 * time.Second
	maxRechecks = 256
	reapShare   = 0.01
)

// keepKin is how long a process that has ended without owning a socket is remembered, for sends that are reported late.
const keepKin = 2 * time.Minute

// tidyEvery is the time between two looks for what is stale in the index, in nanoseconds.
const tidyEvery = int64(time.Minute)

// Run completes descriptions, notes which processes have ended and forgets those that ended long ago, until ctx ends; it
// then returns nil. Without it, descriptions stay bare and ended processes are forgotten only for lack of room.
//
// Where the kernel grants it, Run also follows its process events: the program of every process is then read when it is
// executed, within a budget, so that one that has already ended still has its name and its parents for what it has sent.
// Where the kernel refuses, Run goes on without and tries again now and then; Stats says so. Owner waits for events under
// way only where the sender it is given has ended unknown, and not longer than a second.
func (r *Resolver) Run(ctx context.Context) error {
	var following sync.WaitGroup
	following.Go(func() { r.witness.run(ctx) })
	defer following.Wait()
	e := newEnricher(r)
	timer := time.NewTimer(pulse.After(reapEvery))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
			for id, ok := r.nextPending(); ok && ctx.Err() == nil; id, ok = r.nextPending() {
				e.enrich(ctx, id)
			}
		case <-timer.C:
			began := time.Now()
			r.reap(e)
			clear(e.users) // names change rarely, but they change
			r.tidy()
			timer.Reset(pulse.After(max(reapEvery, time.Duration(float64(time.Since(began))/reapShare))))
		}
	}
}

// nextPending takes the process that has waited longest for its description.
func (r *Resolver) nextPending() (process.ID, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.processes
	if len(t.pending) == 0 {
		t.pending = nil
		return process.ID{}, false
	}
	id := t.pending[0]
	t.pending = t.pending[1:]
	return id, true
}

// reap notes which owners have ended and which run another program now, and forgets those that ended long ago.
func (r *Resolver) reap(e *enricher) {
	began := sinceBoot()
	pids, whole, err := r.fs.AppendPIDs(nil, maxListed, &e.buffer)
	if err != nil {
		return
	}
	there := make(map[int32]bool, len(pids))
	for _, pid := range pids {
		there[pid] = true
	}
	now := r.now()
	var recheck []process.ID
	r.mu.Lock()
	for pid, owner := range r.processes.live {
		switch {
		case !there[pid] && whole:
			r.processes.exit(owner, now)
		case len(recheck) < maxRechecks:
			recheck = append(recheck, owner.id)
		}
	}
	kin := min(r.config.KeepExited, keepKin)
	keep := r.config.KeepExited
	if r.hurry.Load() {
		keep = kin
	}
	r.processes.expire(now-int64(keep), now)
	r.sockets.expire(now - int64(kin))
	for pid, k := range r.lineage.byPID {
		if k.ended == 0 && k.born < began && !there[pid] && whole {
			r.lineage.end(k, began) // that was not reported, or taken back
		}
	}
	r.lineage.expire(began - int64(kin))
	r.mu.Unlock()
	for _, id := range recheck {
		r.recheck(id, &e.buffer)
	}
}

// tidy forgets, now and then, which descriptors no scan has confirmed; nobody waits for it.
func (r *Resolver) tidy() {
	now := r.now()
	if now-r.tidied < tidyEvery || !r.scanning.TryLock() {
		return
	}
	defer r.scanning.Unlock()
	r.tidied = now
	r.scanner.index.sweep()
}

// recheck looks at one living owner again. A map is walked in random order, so all of many have their turn.
func (r *Resolver) recheck(id process.ID, b *procfs.Buffer) {
	p, err := r.fs.OpenPID(id.PID)
	if err != nil {
		return // ended since; the next list will tell
	}
	defer p.Close()
	var stat procfs.PIDStat
	if err := p.Stat(b, &stat); err != nil {
		return
	}
	now := r.now()
	another, zombie := stat.StartTicks != id.StartTicks, stat.State == 'Z'
	changed := false
	r.mu.Lock()
	switch owner := r.processes.byID[id]; {
	case owner == nil:
	case another || zombie && stat.Threads <= 1:
		r.processes.exit(owner, now)
	default:
		owner.checked.Store(now)
		changed = owner.stack != stat.StartStack && !zombie // a first thread that has exited before the others
	}
	r.mu.Unlock()
	if another {
		r.counters.reused.Add(1)
	}
	if changed {
		if info, stack, err := r.essentials(subject{id: id}, p, b); err == nil {
			r.mu.Lock()
			r.enroll(info, stack, now)
			r.mu.Unlock()
		}
	}
}
