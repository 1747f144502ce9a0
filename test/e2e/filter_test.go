package e2e

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// playFiltered refuses sock_diag to itself as a seccomp(2) profile of a container does, then becomes the program named by
// its arguments.
func playFiltered() error {
	runtime.LockOSThread() // the filter is the thread's, and the thread is what remains after execve(2)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	filter := refuseSockDiag()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	os.Unsetenv(roleVariable)
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}

// refuseSockDiag is a filter over struct seccomp_data (linux/seccomp.h) that answers socket(AF_NETLINK, any,
// NETLINK_SOCK_DIAG) with EPERM and allows everything else.
func refuseSockDiag() []unix.SockFilter {
	const (
		number    = 0  // offsetof(struct seccomp_data, nr)
		family    = 16 // args[0], its lower half on a little-endian machine
		protocol  = 32 // args[2]
		load      = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		unless    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		result    = unix.BPF_RET | unix.BPF_K
		allow     = unix.SECCOMP_RET_ALLOW
		refuse    = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		sockDiag  = unix.NETLINK_SOCK_DIAG
		netlink   = unix.AF_NETLINK
		newSocket = unix.SYS_SOCKET
	)
	return []unix.SockFilter{
		{Code: load, K: number},
		{Code: unless, K: newSocket, Jf: 5},
		{Code: load, K: family},
		{Code: unless, K: netlink, Jf: 3},
		{Code: load, K: protocol},
		{Code: unless, K: sockDiag, Jf: 1},
		{Code: result, K: refuse},
		{Code: result, K: allow},
	}
}
