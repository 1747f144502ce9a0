package procfs

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// kcmpFiles is KCMP_FILES of linux/kcmp.h: compare descriptor tables.
const kcmpFiles = 2

// SameFiles reports whether two threads share one descriptor table, kcmp(2). It takes the numbers of the caller's own PID
// namespace, see OwnPIDs, and the right to trace both. Threads share by default; unshare(2) with CLONE_FILES parts them.
func SameFiles(a, b int32) (bool, error) {
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
	if errno != 0 {
		return false, pidError("kcmp", errno)
	}
	return order == 0, nil
}

// OwnPIDs reports whether the numbers in this file system are those of the caller's own PID namespace, which is so unless
// it was mounted elsewhere (a host's /proc in a container, a copy).
func (fs FS) OwnPIDs() bool {
	self, err := os.Readlink(fs.path("self"))
	return err == nil && self == strconv.Itoa(os.Getpid())
}
