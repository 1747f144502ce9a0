package procfs

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// direntName is the offset of d_name in struct linux_dirent64 (linux/dirent.h): ino and off of 8 bytes, reclen of 2, type
// of 1.
const direntName = 19

// nextEntry splits the first record off what getdents64(2) returned. The byte after name is the NUL that ends it in the
// kernel's record, so &name[0] is a C string. ok is false at the end and for a record that cannot be right.
func nextEntry(records []byte) (name, rest []byte, ok bool) {
	if len(records) < direntName+1 {
		return nil, nil, false
	}
	size := int(binary.NativeEndian.Uint16(records[16:18]))
	if size < direntName+1 || size > len(records) {
		return nil, nil, false
	}
	full := records[direntName:size]
	name = trimNUL(full)
	if len(name) == 0 || len(name) == len(full) {
		return nil, nil, false
	}
	return name, records[size:], true
}

// AppendPIDs appends the processes the sensor may see, in the order of the kernel (by number), at most limit of them;
// whole is false if there were more. With hidepid (proc(5)) those of other users are missing, see Hidden.
func (fs FS) AppendPIDs(dst []int32, limit int, b *Buffer) (pids []int32, whole bool, err error) {
	dir, err := unix.Open(fs.path(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dst, false, fmt.Errorf("procfs: list processes: %w", err)
	}
	defer unix.Close(dir)
	return appendNumbers(dst, dir, limit, b)
}

// AppendThreads appends the threads of the process, the first one included, at most limit of them.
func (p PID) AppendThreads(dst []int32, limit int, b *Buffer) (tids []int32, whole bool, err error) {
	dir, err := unix.Openat(p.dir, "task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dst, false, pidError("task", err)
	}
	defer unix.Close(dir)
	return appendNumbers(dst, dir, limit, b)
}

// appendNumbers appends the entries of an open directory whose names are numbers.
func appendNumbers(dst []int32, dir, limit int, b *Buffer) ([]int32, bool, error) {
	b.grow()
	for start := len(dst); ; {
		n, err := unix.Getdents(dir, b.entries)
		if err != nil {
			return dst, false, pidError("getdents", err)
		}
		if n == 0 {
			return dst, true, nil
		}
		for rest := b.entries[:n]; ; {
			name, next, ok := nextEntry(rest)
			if !ok {
				break
			}
			rest = next
			number, ok := decimal(name)
			if !ok || number == 0 || number > 1<<31-1 {
				continue
			}
			if len(dst)-start == limit {
				return dst, false, nil
			}
			dst = append(dst, int32(number))
		}
	}
}
