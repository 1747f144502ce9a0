package attribution

import (
	"sync/atomic"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
)

// entry is a process that owns or owned a socket. Guarded by Resolver.mu but for checked.
type entry struct {
	id      process.ID
	program process.Program
	// info is nil when it is no longer in the table, though a socket may still point here.
	info *process.Info
	// stack tells one image from the next, see procfs.PIDStat.
	stack uint64
	// talked is a sequence number of its last new socket.
	talked uint64
	// checked is when the PID was last seen to be this process, by Resolver.now.
	checked atomic.Int64
	exited  bool
	// born is when it began, in nanoseconds since boot: to the tick, or exactly if its fork was witnessed.
	born int64
	// ended is when it was found to have exited, by Resolver.now.
	ended int64
}

// processes is a bounded memory of processes.
type processes struct {
	limit, textLimit int
	byID             map[process.ID]*entry
	live             map[int32]*entry
	// latest is the last process of each program.
	latest map[process.Program]*entry
	// exited are the ended ones, longest ago first.
	exited []*entry
	// pending await their full description.
	pending []process.ID
	text    int
	evicted uint64
	talks   uint64
	most    [3]int // see package shrink
}

// add remembers a process, which may have ended, or renews what is known of it, and makes room by forgetting others: those that ended first,
// then the living that have been quiet for longest among a few picked at random.
func (t *processes) add(info process.Info, stack uint64, now int64) *entry {
	if t.byID == nil {
		t.byID, t.live = make(map[process.ID]*entry), make(map[int32]*entry)
		t.latest = make(map[process.Program]*entry)
	}
	if old := t.live[info.ID.PID]; old != nil && old.id != info.ID && !info.Exited {
		t.exit(old, now)
	}
	e := t.byID[info.ID]
	if e == nil {
		e = &entry{id: info.ID, info: new(process.Info), born: int64(info.ID.StartTicks) * tick}
		t.byID[info.ID] = e
		if !info.Exited {
			t.live[info.ID.PID] = e
		}
	}
	t.text += textOf(info) - textOf(*e.info)
	t.unlatest(e) // it may run another program now
	*e.info, e.program, e.stack = info, info.Program, stack
	t.latest[info.Program] = e
	e.checked.Store(now)
	t.touch(e)
	if len(t.pending) >= t.limit {
		t.pending = t.pending[1:]
	}
	t.pending = append(t.pending, info.ID)
	for (len(t.byID) > t.limit || t.text > t.textLimit) && t.evictOne(e) {
	}
	if info.Exited {
		t.exit(e, now)
	}
	return e
}

// touch notes that e has a new socket.
func (t *processes) touch(e *entry) {
	t.talks++
	e.talked = t.talks
}

// describe adds to a process that is still known what its essentials lack.
func (t *processes) describe(d process.Info) {
	e := t.byID[d.ID]
	if e == nil {
		return
	}
	t.text -= textOf(*e.info)
	e.info.Name, e.info.Username = d.Name, d.Username
	e.info.Parent, e.info.ParentPath, e.info.ParentCmdline = d.Parent, d.ParentPath, d.ParentCmdline
	e.info.GrandparentPath, e.info.GrandparentCmdline = d.GrandparentPath, d.GrandparentCmdline
	t.text += textOf(*e.info)
	for t.text > t.textLimit && t.evictOne(e) {
	}
}

// exit notes that a process has ended.
func (t *processes) exit(e *entry, now int64) {
	if e.exited || e.info == nil {
		return
	}
	e.exited, e.info.Exited, e.ended = true, true, now
	if t.live[e.id.PID] == e {
		delete(t.live, e.id.PID)
	}
	t.exited = append(t.exited, e)
}

// expire forgets the processes that ended before the given instant, but for the last one of each program: what is run from
// time to time is a program's only witness in between. That goes to the end of the queue, to go when there is no room.
func (t *processes) expire(before, now int64) {
	defer t.shrink()
	for range len(t.exited) {
		e := t.exited[0]
		if e.ended >= before {
			return
		}
		if t.latest[e.program] != e {
			t.drop(e)
			continue
		}
		e.ended = now
		t.exited = append(t.exited[1:], e)
	}
}

func (t *processes) shrink() {
	t.byID, t.live, t.latest = shrink.Map(t.byID, &t.most[0]), shrink.Map(t.live, &t.most[1]), shrink.Map(t.latest, &t.most[2])
}

// unlatest takes e from latest if it is there.
func (t *processes) unlatest(e *entry) {
	if t.latest[e.program] == e {
		delete(t.latest, e.program)
	}
}

// evictOne forgets one process other than keep; false if there is none.
func (t *processes) evictOne(keep *entry) bool {
	var victim *entry
	if len(t.exited) > 0 {
		victim = t.exited[0]
	} else {
		tries := 16
		for _, e := range t.live {
			if e != keep && (victim == nil || e.talked < victim.talked) {
				victim = e
			}
			if tries--; tries == 0 {
				break
			}
		}
	}
	if victim == nil || victim == keep {
		return false
	}
	t.drop(victim)
	t.evicted++
	return true
}

// drop forgets a process. Sockets that point to it keep its name.
func (t *processes) drop(e *entry) {
	id := e.id
	delete(t.byID, id)
	if t.live[id.PID] == e {
		delete(t.live, id.PID)
	}
	if len(t.exited) > 0 && t.exited[0] == e {
		t.exited[0] = nil
		t.exited = t.exited[1:]
	}
	t.unlatest(e)
	t.text -= textOf(*e.info)
	e.info = nil
}

// textOf is the text an entry keeps alive, in bytes. Parents are counted with each child, though children share them.
func textOf(i process.Info) int {
	return len(i.Program.Path) + len(i.Program.Script) + len(i.Program.Workload) + len(i.Name) + len(i.Cmdline) +
		len(i.Username) + len(i.ParentPath) + len(i.ParentCmdline) + len(i.GrandparentPath) + len(i.GrandparentCmdline) +
		len(i.CgroupPath) + len(i.SystemdUnit) + len(i.ContainerID)
}
