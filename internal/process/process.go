// Package process names processes: which one it is (ID) and what it is (Program). It reads nothing; it turns what a
// reader found in /proc into names that survive the PID.
package process

// ID is one life of one process: a PID and its start in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)).
// The pair is never reused while the host is up.
type ID struct {
	PID        int32
	StartTicks uint64
}

// former marks the ID of a process of an earlier boot: start ticks since boot never get there.
const former = 1 << 63

// Former is the ID of a process of an earlier boot, which is no process of now.
func (id ID) Former() ID {
	if id != (ID{}) {
		id.StartTicks |= former
	}
	return id
}

// IsFormer reports whether id is of an earlier boot.
func (id ID) IsFormer() bool { return id.StartTicks&former != 0 }

// Program is what a process is, and the key of its history: twenty beats from twenty cron sessions or twenty containers
// of one image are one program.
type Program struct {
	// Path of the executable; " (deleted)" and "/memfd:name (deleted)" kept as the kernel says them. "[kernel]" for
	// sockets the kernel itself holds, empty where the owner could not be found.
	Path string
	// Script is the first script argument when Path is an interpreter, made absolute where the working directory is
	// known; "-c", "-e" or "-r" for inline code; otherwise empty. See the function of that name.
	Script string
	UID    uint32
	// Workload is the cgroup without its instance parts; see Workload.
	Workload string
}

// Kernel is the Path of sockets held by the kernel itself (NFS, WireGuard, VXLAN …).
const Kernel = "[kernel]"

// Attributed reports whether the owner was found.
func (p Program) Attributed() bool { return p.Path != "" }
