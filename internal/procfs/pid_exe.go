package procfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// ExeStat is what statx(2) says of the executable of the process, whatever its path now leads to. It never waits: a file
// server (FUSE, NFS) is not asked, what the kernel knows of the file is enough to tell it from others.
func (p PID) ExeStat(st *unix.Statx_t) error {
	const flags = unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(p.dir, "exe", flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME|unix.STATX_MNT_ID, st); err != nil {
		return pidError("exe", err)
	}
	return nil
}

// OpenExe opens the executable of the process for reading, even if it has no path any more. A file server may make it wait
// for ever.
func (p PID) OpenExe() (*os.File, error) {
	fd, err := unix.Openat(p.dir, "exe", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, pidError("exe", err)
	}
	return os.NewFile(uintptr(fd), "exe"), nil
}

// Mounts returns the mounts that the process sees, proc_pid_mountinfo(5), as far as they stand in the first 16 KiB. The
// text is borrowed from the Buffer.
func (p PID) Mounts(b *Buffer) ([]byte, error) { return p.read("mountinfo", b) }
