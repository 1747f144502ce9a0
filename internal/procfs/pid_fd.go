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

// AppendSockets appends the sockets the process holds, proc_pid_fd(5), at one getdents64(2) for many descriptors and one
// readlinkat(2) for each, without allocating per descriptor. Sockets of every family appear. Opened and closed
// descriptors during the walk may be missed, as in any reading of /proc.
func (p PID) AppendSockets(dst []Descriptor, scan *Scan, b *Buffer) ([]Descriptor, error) {
	dir, err := openDescriptors(p.dir, "fd", b)
	if err != nil {
		return dst, err
	}
	defer unix.Close(dir)
	err = eachSocket(dir, scan, b, func(d Descriptor) (enough bool) {
		dst = append(dst, d)
		return false
	})
	return dst, err
}

// usual are the descriptors that the first socket of a program has as a rule: it gets the lowest number that is free (socket(2)),
// and a shell redirects to 1 what it has connected.
var usual = [...]string{"3", "1", "4", "5", "6", "7"}

// FindSocket returns the descriptor by which a process, or a thread, holds the socket with the inode. It looks at the usual ones
// first, and only then, and only if all are asked for, lists them: of a process that is about to close the socket each look less is in time
// more often.
func (fs FS) FindSocket(pid int32, inode uint64, all bool, scan *Scan, b *Buffer) (fd int32, ok bool, err error) {
	dir, err := openDescriptors(unix.AT_FDCWD, fs.path(strconv.Itoa(int(pid)), "fd"), b)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(dir)
	var name [2]byte // ends with a zero
	for _, digit := range usual {
		scan.Read++
		copy(name[:], digit)
		link, _ := readlinkEntry(dir, name[:], b)
		if got, is := socketInode(link); is && got == inode {
			return int32(name[0] - '0'), true, nil
		}
	}
	if !all {
		return 0, false, nil
	}
	err = eachSocket(dir, scan, b, func(d Descriptor) bool {
		fd, ok = d.FD, d.Inode == inode
		return ok
	})
	return fd, ok, err
}

func openDescriptors(at int, path string, b *Buffer) (dir int, err error) {
	b.grow()
	dir, err = unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, pidError("fd", err)
	}
	return dir, nil
}

// eachSocket visits the sockets among the descriptors in an open directory, until visit has seen enough.
func eachSocket(dir int, scan *Scan, b *Buffer, visit func(Descriptor) (enough bool)) error {
	for {
		n, err := unix.Getdents(dir, b.entries)
		if err != nil {
			return pidError("fd", err)
		}
		if n == 0 {
			return nil
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
			if inode, ok := socketInode(link); ok && visit(Descriptor{FD: int32(fd), Inode: inode}) {
				return nil
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
