package attribution

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// tick is the unit of StartTicks, in nanoseconds.
const tick = int64(time.Second) / procfs.ClockTicks

// kin is one life of a process as the process events told it, whether or not it ever owned a socket. Times are in
// nanoseconds since boot. Guarded by Resolver.mu.
type kin struct {
	// id has the start the kernel shows if exact, else that of the report of the fork, which may be a tick late.
	id    process.ID
	exact bool
	// born and ended are when fork and exit were reported; 0 = not reported, still alive. queued: it is in lineage.ended.
	born, ended int64
	queued      bool
	// image is the program, nil if it is not known. read is when it was known to be current.
	image *image
	read  int64
	// unreadable: the program cannot be read (a kernel thread, a refusal) until another is executed.
	unreadable bool
	// parent and grandparent are those at the time of the fork, whatever has become of them.
	parent, grandparent forebear
	// owner is the entry of this life once it has owned a socket.
	owner *entry
	// former is the life before this one with the same PID.
	former *kin
}

// forebear is a parent as its child knew it.
type forebear struct {
	id    process.ID
	image *image
}

// image is a program in execution: forks share it. It never changes but for holders, the number of kin that point to it.
type image struct {
	// info is what is known of it, without what belongs to one process (ID, StartTime, parents, Exited).
	info    process.Info
	stack   uint64
	holders int
}

// inherit takes over what a process does not change by executing a program.
func (i *image) inherit(from *image) {
	to, f := &i.info, &from.info
	to.Program.UID, to.Program.Workload = f.Program.UID, f.Program.Workload
	to.CgroupPath, to.SystemdUnit = f.CgroupPath, f.SystemdUnit
	to.ContainerID, to.ContainerRuntime, to.Terminal = f.ContainerID, f.ContainerRuntime, f.Terminal
}

// is reports whether a process that started then is this life.
func (k *kin) is(startTicks uint64) bool {
	const late = 2
	if k.exact {
		return startTicks == k.id.StartTicks
	}
	return startTicks <= k.id.StartTicks && k.id.StartTicks-startTicks <= late
}

// info describes a kin whose image is known.
func (k *kin) info() process.Info {
	i := k.image.info
	i.ID, i.StartTime, i.Exited = k.id, started(k.id), k.ended != 0
	k.ancestry(&i)
	return i
}

// ancestry adds the parents to a description.
func (k *kin) ancestry(i *process.Info) {
	if k.parent.id.PID != 0 {
		i.Parent = k.parent.id
	}
	if k.parent.image != nil {
		i.ParentPath, i.ParentCmdline = k.parent.image.info.Program.Path, k.parent.image.info.Cmdline
	}
	if k.grandparent.image != nil {
		i.GrandparentPath, i.GrandparentCmdline = k.grandparent.image.info.Program.Path, k.grandparent.image.info.Cmdline
	}
}

// environment adds what was seen of the environment, if it was that of the same image.
func (k *kin) environment(i *process.Info, stack uint64) {
	if k.image != nil && k.image.stack == stack {
		i.Preload, i.EnvironRead = k.image.info.Preload, k.image.info.EnvironRead
	}
}
