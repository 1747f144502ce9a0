package procfs

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NetNS is a network namespace in use: the inode by which the kernel names it (network_namespaces(7)) and the process in
// it with the lowest PID, through whose /proc/PID/net and /proc/PID/ns/net it can be reached while that process lives.
type NetNS struct {
	Inode uint64
	PID   int32
}

// NetNSScan says what a walk over the processes saw.
type NetNSScan struct {
	// Read counts processes whose namespace was looked up, Refused those the kernel would not show: there may be further
	// namespaces behind them.
	Read, Refused int
	// RefusedPID is the first of the refused.
	RefusedPID int32
	// Truncated: there were more namespaces than asked for.
	Truncated bool
}

// AppendNetNS appends the network namespaces of the processes there are, each once, ordered by inode, at most limit of
// them (those of the lowest PIDs). It costs one readlinkat(2) of ns/net for each process and allocates nothing if dst has
// room. A namespace that no process has as its own is not seen: one that is only bound to a file (ip-netns(8)), held by a
// descriptor, or entered by single threads.
func (fs FS) AppendNetNS(dst []NetNS, limit int, scan *NetNSScan, b *Buffer) ([]NetNS, error) {
	b.grow()
	dir, err := unix.Open(fs.root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dst, fmt.Errorf("procfs: list network namespaces: %w", err)
	}
	defer unix.Close(dir)
	start := len(dst)
	for {
		n, err := unix.Getdents(dir, b.entries)
		if err != nil {
			return dst, fmt.Errorf("procfs: list network namespaces: %w", err)
		}
		if n == 0 {
			return dst, nil
		}
		for rest := b.entries[:n]; ; {
			name, next, ok := nextEntry(rest)
			if !ok {
				break
			}
			rest = next
			pid, ok := decimal(name)
			if !ok || pid == 0 || pid > 1<<31-1 {
				continue
			}
			inode, errno := netNSOf(dir, name, b)
			switch {
			case errno == unix.EACCES || errno == unix.EPERM:
				if scan.Refused++; scan.Refused == 1 {
					scan.RefusedPID = int32(pid)
				}
			case errno == 0:
				scan.Read++
				dst = insertNetNS(dst, start, limit, NetNS{Inode: inode, PID: int32(pid)}, scan)
			}
		}
	}
}

// insertNetNS puts a namespace in its place among those from start on, unless it is there; the kernel lists processes by
// number, so the first of a namespace is the lowest.
func insertNetNS(dst []NetNS, start, limit int, ns NetNS, scan *NetNSScan) []NetNS {
	at, found := slices.BinarySearchFunc(dst[start:], ns.Inode, func(a NetNS, inode uint64) int {
		switch {
		case a.Inode < inode:
			return -1
		case a.Inode > inode:
			return 1
		}
		return 0
	})
	switch {
	case found:
		return dst
	case len(dst)-start >= limit:
		scan.Truncated = true
		return dst
	}
	return slices.Insert(dst, start+at, ns)
}

// netNSOf is the inode of the namespace of a process named by an entry of an open /proc. ESRCH if it has ended.
func netNSOf(dir int, pid []byte, b *Buffer) (uint64, unix.Errno) {
	path := append(append(b.file[:0], pid...), "/ns/net\x00"...)
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&b.link[0])), uintptr(len(b.link)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	inode, ok := bracketed(b.link[:n], "net:[")
	if !ok {
		return 0, unix.ESRCH
	}
	return inode, 0
}
