package ceiling

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memory returns the resident memory of this process, and how much of it is mapped from files and devices: fields 2 and 3 of
// proc_pid_statm(5), in bytes. 0 if they cannot be read. With package os, which offers each file to the poller of the runtime, that
// would be ten calls instead of three, every second.
func memory() (resident, shared int64) {
	fd, err := unix.Open("/proc/self/statm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0
	}
	defer unix.Close(fd)
	var statm [256]byte
	n, err := unix.Read(fd, statm[:])
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(statm[:n])
	if len(fields) < 3 {
		return 0, 0
	}
	pages := func(field []byte) int64 {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0
		}
		return n * int64(os.Getpagesize())
	}
	return pages(fields[1]), pages(fields[2])
}

// Resident is the resident memory of this process in bytes, 0 if it cannot be told.
func Resident() uint64 {
	resident, _ := memory()
	return uint64(resident)
}

// giveBack unmaps the pages of our own executable that nothing has been written to (madvise(2), MADV_DONTNEED): most were used
// once, at the start. They stay in the page cache, and come back from there when they are touched.
func giveBack() {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// address perms offset dev inode pathname, proc_pid_maps(5)
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || !strings.HasSuffix(lines.Text(), path) || strings.Contains(fields[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil && start < end {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_DONTNEED) // else they stay
		}
	}
}
