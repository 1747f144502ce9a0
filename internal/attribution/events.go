package attribution

import (
	"errors"
	"syscall"
)

// errOtherPIDs is why a Resolver of another PID namespace, or of a copy of /proc, does not follow process events.
var errOtherPIDs = errors.New("attribution: process events have the PIDs of another namespace than the proc file system")

// Events is what following the process events of the kernel (the proc connector) brought. Counters only grow.
type Events struct {
	// Active: they are followed now. Refused is why not, nil while they are and before the first attempt.
	Active  bool
	Refused error
	// Seen counts events. Lost counts those the kernel dropped because they were not read in time, Relists the passes over
	// all processes made because of that.
	Seen, Lost, Relists uint64
	// Read counts programs read when they were executed, or when they first forked, Told those that could not be, of which the
	// kernel had told (Config.Executions). Late counts those whose process had
	// ended before that, Denied those the kernel did not show, Skipped those executed while there was no budget to read them.
	Read, Told, Late, Denied, Skipped uint64
	// Pauses counts how often even listening was stopped for lack of budget.
	Pauses uint64
	// Recalled counts owners that were named after they had ended, because their life had been witnessed.
	Recalled uint64
	// Kin are the processes remembered now, Text the bytes of text kept about them, Evicted those forgotten for lack of room.
	Kin, Text int
	Evicted   uint64
}

// Errno is the error number of the refusal, 0 if there is none or it has none.
func (e Events) Errno() syscall.Errno {
	var errno syscall.Errno
	if errors.As(e.Refused, &errno) {
		return errno
	}
	return 0
}

// events returns the counters of now.
func (r *Resolver) events() Events {
	c := &r.counters.events
	e := Events{Seen: c.seen.Load(), Lost: c.lost.Load(), Relists: c.relists.Load(), Read: c.read.Load(), Told: c.told.Load(),
		Late: c.late.Load(), Denied: c.denied.Load(), Skipped: c.skipped.Load(), Pauses: c.pauses.Load(),
		Recalled: c.recalled.Load()}
	e.Active, e.Refused = r.witness.state()
	r.mu.RLock()
	defer r.mu.RUnlock()
	e.Kin, e.Text, e.Evicted = r.lineage.count, r.lineage.text, r.lineage.evicted
	return e
}
