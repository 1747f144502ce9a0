package attribution

import "github.com/beaconwatch/beaconwatch/internal/process"

// enroll remembers a process that has owned a socket, with its parents if they were witnessed, and has Run complete the
// description. It needs mu.
func (r *Resolver) enroll(info process.Info, stack uint64, now int64) *entry {
	k := r.lineage.living(info.ID.PID)
	witnessed := k != nil && k.is(info.ID.StartTicks)
	if witnessed {
		k.ancestry(&info)
		k.environment(&info, stack)
	}
	e := r.processes.add(info, stack, now)
	if witnessed {
		k.own(e)
	}
	r.announce(info)
	return e
}

// announce tells of a process that has owned a socket, and Run that it awaits its description.
func (r *Resolver) announce(info process.Info) {
	if r.config.Met != nil {
		r.config.Met(info)
	}
	select {
	case r.wake <- struct{}{}:
	default: // Run is already due to wake
	}
}

// own notes that k is the process of an entry, whose start the kernel showed.
func (k *kin) own(e *entry) {
	k.id, k.exact, k.owner = e.id, true, e
	e.born = k.born
}

// ending is what is known of the end of a process.
type ending uint8

const (
	asked     ending = iota // nothing: the process must be known to have ended, and after the time asked for
	gone                    // it cannot be read any more: the time may be after its end
	witnessed               // nor can it, and all that happened by now was witnessed: its end is only not reported yet
)

// ended returns the process that had the PID at that time if it has ended since, nil if it is not known, or not known to have.
func (r *Resolver) ended(pid int32, at int64, by ending) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.lineage.at(pid, at)
	switch {
	case k == nil, k.ended == 0 && by != witnessed, by == asked && at > k.ended+tick:
		return nil
	}
	return r.enter(k)
}

// former returns the process of that identity, which may have ended; nil if nothing is known of it.
func (r *Resolver) former(id process.ID) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.processes.byID[id]; e != nil {
		return e
	}
	for k := r.lineage.byPID[id.PID]; k != nil; k = k.former {
		if k.is(id.StartTicks) {
			return r.enter(k)
		}
	}
	return nil
}

// enter makes an owner of a witnessed process; nil if what it ran is not certain. It needs mu.
func (r *Resolver) enter(k *kin) *entry {
	switch {
	case k.owner != nil && k.owner.info != nil:
	case r.lineage.certain(k):
		k.owner = r.processes.add(k.info(), k.image.stack, r.now())
		k.owner.born = k.born
		r.announce(*k.owner.info)
	default:
		return nil
	}
	r.counters.events.recalled.Add(1)
	return k.owner
}
