package procfs

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrGone is returned when a process has ended since it was named, or never had what was asked for: a kernel thread has no
// executable, a zombie no descriptors. It is a normal event.
var ErrGone = errors.New("process is gone")

// PID is an open directory /proc/PID (or /proc/PID/task/TID), proc(5). It stays bound to the process it was opened for:
// once that has ended every read fails with ErrGone, even if the number is in use again. So facts read through one PID
// are facts about one process. The caller must Close it. Reads that the kernel denies fail with fs.ErrPermission.
type PID struct {
	dir int
}

// Buffer is the scratch memory of reads. It is reused by each read, so what a read borrows from it is valid until the
// next one. The zero value is ready; it must not be used by two goroutines at once.
type Buffer struct {
	file    []byte
	entries []byte
	link    []byte
}

// Sizes of the scratch memory. maxFile bounds how much of any file of a process is read: 16 KiB hold its stat and status
// with room to spare and enough of a command line to find the script in it. 32 KiB is what getdents64(2) callers use.
const (
	maxFile    = 16 << 10
	maxEntries = 32 << 10
	maxLink    = 4096
)

// grow allocates the scratch memory once.
func (b *Buffer) grow() {
	if b.file == nil {
		b.file = make([]byte, maxFile)
		b.entries = make([]byte, maxEntries)
		b.link = make([]byte, maxLink)
	}
}

// OpenPID opens the directory of a process.
func (fs FS) OpenPID(pid int32) (PID, error) {
	return openDir(unix.AT_FDCWD, fs.path(strconv.Itoa(int(pid))))
}

// Thread opens the directory of one thread of the process. It has the files of a process, seen by that thread: another
// set of descriptors if the thread has unshared them, and an executable even where the first thread has already exited.
func (p PID) Thread(tid int32) (PID, error) {
	return openDir(p.dir, "task/"+strconv.Itoa(int(tid)))
}

func openDir(at int, path string) (PID, error) {
	dir, err := unix.Openat(at, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return PID{dir: -1}, pidError("open", err)
	}
	return PID{dir: dir}, nil
}

// Close releases the directory.
func (p PID) Close() error {
	if p.dir < 0 {
		return nil
	}
	return unix.Close(p.dir)
}

// read reads the named file into the scratch memory, up to its size.
func (p PID) read(name string, b *Buffer) ([]byte, error) {
	b.grow()
	fd, err := unix.Openat(p.dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pidError(name, err)
	}
	defer unix.Close(fd)
	n := 0
	for n < len(b.file) {
		got, err := unix.Read(fd, b.file[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, pidError(name, err)
		}
		if got == 0 {
			break
		}
		n += got
	}
	return b.file[:n], nil
}

// readlink reads the named link into the scratch memory.
func (p PID) readlink(name string, b *Buffer) ([]byte, error) {
	b.grow()
	n, err := unix.Readlinkat(p.dir, name, b.link)
	if err != nil {
		return nil, pidError(name, err)
	}
	return b.link[:n], nil
}

// pidError names the operation; ENOENT and ESRCH, which is how the kernel says that a process has ended, become ErrGone.
func pidError(operation string, err error) error {
	if err == unix.ENOENT || err == unix.ESRCH {
		err = ErrGone
	}
	return fmt.Errorf("procfs: %s: %w", operation, err)
}
