package procfs

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Descriptor is a socket a process holds: the number of the descriptor and the inode of the socket.
type Descriptor struct {
	FD    int32
	Inode uint64
}

// Scan says what a walk over descriptors cost and missed.
type Scan struct {
	// Read counts descriptors of every kind whose target was looked up.
	Read int
	// Refused counts descriptors the kernel would not show.
	Refused int
}

// AppendSockets is that of PID for a process by its number: it is faster by as much as it takes to open the process first, which
// matters for one that is about to end.
func (fs FS) AppendSockets(pid int32, dst []Descriptor, scan *Scan, b *Buffer) ([]Descriptor, error) {
	return appendSockets(unix.AT_FDCWD, fs.path(strconv.Itoa(int(pid)), "fd"), dst, scan, b)
}

// AppendSockets appends the sockets the process holds, proc_pid_fd(5), at one getdents64(2) for many descriptors and one
// readlinkat(2) for each, without allocating per descriptor. Sockets of every family appear. Opened and closed
// descriptors during the walk may be missed, as in any reading of /proc.
func (p PID) AppendSockets(dst []Descriptor, scan *Scan, b *Buffer) ([]Descriptor, error) {
	return appendSockets(p.dir, "fd", dst, scan, b)
}

func appendSockets(at int, path string, dst []Descriptor, scan *Scan, b *Buffer) ([]Descriptor, error) {
	b.grow()
	dir, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dst, pidError("fd", err)
	}
	defer unix.Close(dir)
	for {
		n, err := unix.Getdents(dir, b.entries)
		if err != nil {
			return dst, pidError("fd", err)
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
			fd, ok := decimal(name)
			if !ok || fd > 1<<31-1 {
				continue
			}
			scan.Read++
			link, errno := readlinkEntry(dir, name, b)
			if errno == unix.EACCES || errno == unix.EPERM {
				scan.Refused++
			}
			if inode, ok := socketInode(link); ok {
				dst = append(dst, Descriptor{FD: int32(fd), Inode: inode})
			}
		}
	}
}

// readlinkEntry is readlinkat(2) of a directory entry, whose name is passed as it lies in the kernel's record.
func readlinkEntry(dir int, name []byte, b *Buffer) ([]byte, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&b.link[0])), uintptr(len(b.link)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return b.link[:n], 0
}
