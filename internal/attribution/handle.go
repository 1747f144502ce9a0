package attribution

import (
	"errors"
	"io/fs"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procevent"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// handle takes note of one event.
func (w *witness) handle(e *procevent.Event, at int64) {
	switch e.Kind {
	case procevent.Fork:
		w.forked(e.PID, e.Parent, at)
	case procevent.Exec:
		w.executed(e.PID, at)
	case procevent.UID:
		w.becameUser(e.PID, at)
	case procevent.Exit:
		w.exited(e.PID, at)
	}
}

// forked: a child runs what its parent runs. A parent not known yet is read now, while it is there.
func (w *witness) forked(pid, parent int32, at int64) {
	r := w.r
	if p := w.living(parent); p == nil || p.image == nil && !p.unreadable {
		w.meet(parent, 1, nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.lineage.fork(pid, parent, at)
	switch e := r.processes.live[pid]; {
	case e == nil:
	case k.is(e.id.StartTicks): // Owner was faster, but the parent may have ended before it looked
		k.own(e)
		info := *e.info
		k.ancestry(&info)
		r.processes.describe(info)
	default:
		r.processes.exit(e, r.now())
	}
}

// executed: another program, read at once because it may end at once. A reading that began after the event has seen it.
func (w *witness) executed(pid int32, at int64) {
	told, ok := w.executions.of(pid, at)
	if k := w.living(pid); k != nil && at <= k.read {
		return
	}
	if !ok {
		w.meet(pid, 0, nil)
		return
	}
	w.meet(pid, 0, &told)
}

// becameUser: the process may have another user from now on.
func (w *witness) becameUser(pid int32, at int64) {
	r := w.r
	k := w.living(pid)
	if k == nil || k.image == nil || at <= k.read {
		return
	}
	if !w.budget.ample() {
		return
	}
	p, err := r.fs.OpenPID(pid)
	if err != nil {
		return
	}
	defer p.Close()
	uids, err := p.UIDs(&w.buffer)
	if err != nil || uids.Real == k.image.info.Program.UID {
		return
	}
	i := &image{info: k.image.info, stack: k.image.stack}
	i.info.Program.UID = uids.Real
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lineage.show(k, i, k.read)
}

// exited: what is known of the process is final. The first thread may have left others behind, which is worth a look only
// where a socket is known.
func (w *witness) exited(pid int32, at int64) {
	r := w.r
	r.mu.Lock()
	if k := r.lineage.living(pid); k != nil {
		r.lineage.end(k, at)
	}
	e := r.processes.live[pid]
	known := e != nil && e.lived(at)
	var id process.ID
	if known {
		id = e.id
	}
	r.mu.Unlock()
	if !known || w.runs(id) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.processes.exit(e, r.now())
}

// runs reports whether any thread of the process is left.
func (w *witness) runs(id process.ID) bool {
	p, err := w.r.fs.OpenPID(id.PID)
	if err != nil {
		return false
	}
	defer p.Close()
	var stat procfs.PIDStat
	return p.Stat(&w.buffer, &stat) == nil && stat.StartTicks == id.StartTicks && (stat.State != 'Z' || stat.Threads > 1)
}

// living returns the process that has the PID. Its fields may be read without lock by the goroutine of the witness, which
// alone changes them, but for id and owner.
func (w *witness) living(pid int32) *kin {
	w.r.mu.RLock()
	defer w.r.mu.RUnlock()
	return w.r.lineage.living(pid)
}

// errSkipped is why a program was not read for lack of budget.
var errSkipped = errors.New("attribution: no budget")

// meet reads the program of a process, and of as many generations before it if they are not known. told, if not nil, is what the
// kernel has told of it, which is less than what can be read.
func (w *witness) meet(pid int32, generations int, told *Execution) {
	r := w.r
	began := sinceBoot()
	var i *image
	var stat procfs.PIDStat
	err := errSkipped
	if w.budget.ample() {
		i, err = w.look(pid, &stat)
	}
	c := &r.counters.events
	switch {
	case err == nil:
		c.read.Add(1)
		if told != nil {
			r.complete(i, told)
		}
	case told != nil && told.Path != "" && !errors.Is(err, errKernelThread):
		c.told.Add(1)
		i, err = r.image(told, w.legacy(pid, told.Parent)), nil
		if stat.StartTicks == 0 {
			stat.StartTicks, stat.Parent, stat.State = told.ID.StartTicks, told.Parent, 'Z'
		}
	case errors.Is(err, errSkipped):
		c.skipped.Add(1)
	case errors.Is(err, procfs.ErrGone):
		c.late.Add(1)
	case errors.Is(err, fs.ErrPermission):
		c.denied.Add(1)
	}
	if generations > 0 && stat.Parent > 0 && w.living(stat.Parent) == nil {
		w.meet(stat.Parent, generations-1, nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.lineage.identify(pid, &stat)
	if k == nil {
		return
	}
	r.lineage.show(k, i, began)
	k.unreadable = err != nil && !errors.Is(err, errSkipped)
	if e := r.processes.live[pid]; i != nil && e != nil && k.is(e.id.StartTicks) {
		r.enroll(k.info(), i.stack, r.now())
	}
}

// handed returns what a process has from its parent, or ran before; nil if that is not known.
func (w *witness) handed(pid int32) *image {
	if k := w.living(pid); k != nil {
		return k.image
	}
	return nil
}

// legacy is handed, for a process whose fork was not seen.
func (w *witness) legacy(pid, parent int32) *image {
	if i := w.handed(pid); i != nil || parent <= 0 {
		return i
	}
	if w.handed(parent) == nil {
		w.meet(parent, 0, nil)
	}
	return w.handed(parent)
}

// look reads the program of a process, first what ends with it. stat stays empty if the process has gone before its
// identity was read; what its parent handed down then stands for the rest.
func (w *witness) look(pid int32, stat *procfs.PIDStat) (*image, error) {
	p, err := w.r.fs.OpenPID(pid)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	i := &image{}
	perished := w.r.perishable(p, &w.buffer, &i.info)
	if set, err := p.HasEnv(&w.buffer, process.Preloads(i.info.Program.Path)); err == nil {
		i.info.Preload, i.info.EnvironRead = set, true
	}
	lost := w.r.lasting(p, &w.buffer, &i.info, stat)
	if stat.KernelThread() {
		return nil, errKernelThread
	}
	if perished != nil {
		return nil, perished
	}
	i.stack = stat.StartStack
	if lost != nil {
		handed := w.handed(pid)
		if handed == nil {
			return nil, lost
		}
		i.inherit(handed)
	}
	return i, nil
}
