package attribution

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// Execution is a program that a process has begun to run, as the kernel saw it at that moment.
type Execution struct {
	// At is when, in nanoseconds since boot.
	At     int64
	ID     process.ID
	Parent int32
	UID    uint32
	NetNS  uint64
	// Stack is as in procfs.PIDStat.
	Stack uint64
	// Path and Cwd are empty if they are not known. Args may be the first ones only.
	Name, Path, Cwd, Cgroup string
	Args                    []string
}

// Executions is where the kernel tells of programs at the moment they are executed, for those whose process has gone before /proc
// could be read. Next never blocks. Neither is called by two goroutines at once.
type Executions interface {
	Next(*Execution) (bool, error)
	Close() error
}

const (
	// maxExecutions bounds the executions kept until the event that belongs to them comes.
	maxExecutions = 2048
	// keepExecution is how long one is kept at least, in nanoseconds, unless there are too many.
	keepExecution = 10 * int64(time.Second)
)

// executions are those told and not asked for yet. They are the witness's.
type executions struct {
	opened bool
	from   Executions // nil if there is none, or it has failed
	byPID  map[int32][]Execution
	order  []toldAt
}

// toldAt is which execution was told when.
type toldAt struct {
	pid int32
	at  int64
}

// open opens where executions are told, unless that was done before.
func (x *executions) open(from func() Executions) {
	if from != nil && !x.opened {
		x.opened, x.from = true, from()
	}
}

// close closes it. It was only read from.
func (x *executions) close() {
	if x.from != nil {
		_ = x.from.Close()
		x.from = nil
	}
}

// of returns the program that a process had executed last by that time, and forgets it and those before.
func (x *executions) of(pid int32, by int64) (Execution, bool) {
	x.take()
	return x.cut(pid, by)
}

// cut takes out what a process had executed by that time, and returns the last.
func (x *executions) cut(pid int32, by int64) (last Execution, ok bool) {
	all := x.byPID[pid]
	for len(all) > 0 && all[0].At <= by {
		last, ok, all = all[0], true, all[1:]
	}
	if ok {
		x.byPID[pid] = all
	}
	if len(all) == 0 {
		delete(x.byPID, pid)
	}
	return last, ok
}

// take takes what was told since the last call.
func (x *executions) take() {
	for x.from != nil {
		var e Execution
		ok, err := x.from.Next(&e)
		if err != nil {
			x.close() // what is not told must be read, as everywhere else
		}
		if !ok || err != nil {
			return
		}
		if x.byPID == nil {
			x.byPID = make(map[int32][]Execution)
		}
		x.byPID[e.ID.PID] = append(x.byPID[e.ID.PID], e)
		x.order = append(x.order, toldAt{e.ID.PID, e.At})
		for len(x.order) > maxExecutions || e.At-x.order[0].at > keepExecution {
			x.cut(x.order[0].pid, x.order[0].at)
			x.order = x.order[1:]
		}
	}
}

// image is what an execution tells of a program; what it does not is as the parent has handed it down.
func (r *Resolver) image(e *Execution, handed *image) *image {
	i := &image{stack: e.Stack}
	if handed != nil {
		i.inherit(handed)
	}
	if e.Cgroup != "" && (handed == nil || r.unified) { // beside version 1 the unified hierarchy does not tell all
		inGroup(&i.info, e.Cgroup)
	}
	i.info.Name, i.info.Program.UID = process.Printable(e.Name, process.MaxText), e.UID
	i.info.Program.Path = process.Printable(e.Path, process.MaxText)
	r.complete(i, e)
	return i
}

// complete adds what goes first when a process ends, and may have been missed where the rest was still read.
func (r *Resolver) complete(i *image, e *Execution) {
	if i.info.NetNS == 0 {
		i.info.NetNS = e.NetNS
	}
	if i.info.Cmdline == "" {
		i.info.Cmdline, i.info.Program.Script = r.cmdline(e.Args), process.Script(e.Path, e.Args, e.Cwd)
	}
}
