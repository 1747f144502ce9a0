package attribution

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// errKernelThread is returned for a thread of the kernel, which is no program.
var errKernelThread = errors.New("attribution: a kernel thread")

// errExecuting is returned for a process that keeps changing its image while it is read.
var errExecuting = errors.New("attribution: the process is executing another program")

// subject is a process to describe: id.StartTicks 0 takes whichever has the PID. tid, if not 0, is the thread to read it
// through: the first one may have exited.
type subject struct {
	id  process.ID
	tid int32
}

// know returns the entry of a process that has just been seen sending or holding a socket, reading its essentials if it
// is new or has executed another program since. It fails with procfs.ErrGone if the process has ended.
func (r *Resolver) know(who subject, b *procfs.Buffer) (*entry, error) {
	p, err := r.fs.OpenPID(who.id.PID)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var stat procfs.PIDStat
	if err := p.Stat(b, &stat); err != nil {
		return nil, err
	}
	if who.id.StartTicks != 0 && who.id.StartTicks != stat.StartTicks {
		return nil, procfs.ErrGone
	}
	if stat.KernelThread() {
		return nil, errKernelThread
	}
	who.id.StartTicks = stat.StartTicks
	now := r.now()
	if e := r.unchanged(who, p, stat.StartStack, now, b); e != nil {
		return e, nil
	}
	if e := r.seen(who.id, stat.StartStack, now); e != nil {
		return e, nil
	}
	info, stack, err := r.essentials(who, p, b)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.enroll(info, stack, now), nil
}

// seen returns the entry of a process that still runs what it was witnessed to execute, nil for any other.
func (r *Resolver) seen(id process.ID, stack uint64, now int64) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.lineage.living(id.PID)
	if k == nil || !k.is(id.StartTicks) || k.image == nil || stack == 0 || k.image.stack != stack {
		return nil
	}
	k.id, k.exact = id, true
	return r.enroll(k.info(), stack, now)
}

// unchanged returns the entry of a known process that still runs what it ran, nil for any other.
func (r *Resolver) unchanged(who subject, p procfs.PID, stack uint64, now int64, b *procfs.Buffer) *entry {
	exe, err := p.Exe(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.processes.byID[who.id]
	if e == nil || e.stack != stack || err != nil || process.Printable(exe, process.MaxText) != e.program.Path {
		return nil
	}
	e.checked.Store(now)
	r.processes.touch(e)
	return e
}

// essentials reads, by /proc alone because the process may be gone in a millisecond, what names it and all that cannot be
// had later. If the process executes another program meanwhile it is read again, so that no answer mixes two.
func (r *Resolver) essentials(who subject, leader procfs.PID, b *procfs.Buffer) (process.Info, uint64, error) {
	p := leader
	if who.tid != 0 {
		t, err := leader.Thread(who.tid)
		if err != nil {
			return process.Info{}, 0, err
		}
		defer t.Close()
		p = t
	}
	const attempts = 3
	for range attempts {
		info, stack, err := r.readOnce(who.id, p, b)
		if !errors.Is(err, errExecuting) {
			return info, stack, err
		}
	}
	return process.Info{}, 0, errExecuting
}

// readOnce reads the essentials once, with stack the image they are of. It fails with errExecuting if that has changed
// meanwhile.
func (r *Resolver) readOnce(id process.ID, p procfs.PID, b *procfs.Buffer) (info process.Info, stack uint64, err error) {
	var stat procfs.PIDStat
	if err := p.Stat(b, &stat); err != nil {
		return info, 0, err
	}
	stack = stat.StartStack
	if err := r.perishable(p, b, &info); err != nil {
		return info, 0, err
	}
	if err := r.lasting(p, b, &info, &stat); err != nil {
		return info, 0, err
	}
	if stat.StartStack != stack && stat.StartStack != 0 { // 0: it has exited since, but it was read while it lived
		return info, 0, errExecuting
	}
	info.ID, info.StartTime, info.Parent.PID = id, started(id), stat.Parent
	return info, stack, nil
}

// perishable reads what goes the moment the process begins to exit, together with its memory. What only decorates a row
// may be missing; what names the program may not.
func (r *Resolver) perishable(p procfs.PID, b *procfs.Buffer, info *process.Info) error {
	exe, err := p.Exe(b)
	if err != nil {
		return err
	}
	args, err := p.Args(b)
	if err == nil && len(args) == 0 {
		_, err = p.Exe(b) // they are gone, and the script among them, if this is
	}
	if err != nil {
		return err
	}
	cwd := ""
	if process.IsInterpreter(exe) {
		cwd, _ = p.Cwd(b) // without it a relative script stays relative
	}
	info.NetNS, _ = p.NetNS(b)
	var st unix.Statx_t
	if err := p.ExeStat(&st); err == nil {
		info.Executable = process.FileOf(&st)
	}
	info.Cmdline = r.cmdline(args)
	info.Program.Path, info.Program.Script = process.Printable(exe, process.MaxText), process.Script(exe, args, cwd)
	return nil
}

// lasting reads what even a zombie shows. The name in stat is not valid afterwards.
func (r *Resolver) lasting(p procfs.PID, b *procfs.Buffer, info *process.Info, stat *procfs.PIDStat) error {
	if err := p.Stat(b, stat); err != nil {
		return err
	}
	info.Name, info.Terminal = process.Printable(string(stat.Comm), process.MaxText), stat.Terminal != 0
	uids, err := p.UIDs(b)
	if err != nil {
		return err
	}
	cgroup, err := p.Cgroup(b, ofContainer)
	if err == nil && cgroup == "/" {
		if err = p.Stat(b, stat); err == nil && stat.Exiting() {
			err = procfs.ErrGone // so is this, where it is not known from version 2
		}
	}
	if err != nil {
		return err
	}
	inGroup(info, cgroup)
	info.Program.UID = uids.Real
	return nil
}

// ofContainer reports whether a control group is that of a container.
func ofContainer(cgroup string) bool {
	id, _ := process.ContainerID(cgroup)
	return id != ""
}

// inGroup notes the control group of a process, and what it says.
func inGroup(info *process.Info, cgroup string) {
	info.CgroupPath = process.Printable(cgroup, process.MaxText)
	info.SystemdUnit = process.SystemdUnit(cgroup)
	info.ContainerID, info.ContainerRuntime = process.ContainerID(cgroup)
	info.Program.Workload = process.Workload(cgroup)
}

// cmdline is the command line as it is kept: printable, without secrets, bounded.
func (r *Resolver) cmdline(args []string) string {
	whole := process.Printable(strings.Join(args, " "), 1<<20)
	return process.Printable(r.config.Redact(whole), process.MaxText)
}

// started is the wall-clock time at which a process started.
func started(id process.ID) time.Time {
	const tick = time.Second / procfs.ClockTicks
	age := time.Duration(sinceBoot()) - time.Duration(id.StartTicks)*tick
	return time.Now().Add(-age).UTC()
}
