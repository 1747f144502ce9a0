package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive reads one datagram of the kernel from a netlink socket into b. It returns the datagram's full length, which is larger
// than len(b) if it was cut; datagrams of other processes, which a privileged one could send, are skipped.
//
// As a rule the kernel has the answer ready, or builds it within the call: then telling the scheduler of a call that may block
// would cost more than it saves.
func Receive(fd int, b []byte, flags int) (int, syscall.Errno) {
	for {
		var from unix.RawSockaddrNetlink
		size := uint32(unsafe.Sizeof(from))
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), uintptr(flags|unix.MSG_TRUNC|unix.MSG_DONTWAIT), uintptr(unsafe.Pointer(&from)),
			uintptr(unsafe.Pointer(&size)))
		if errno == unix.EAGAIN && flags&unix.MSG_DONTWAIT == 0 {
			n, _, errno = unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
				uintptr(len(b)), uintptr(flags|unix.MSG_TRUNC), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
		}
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return 0, errno
		case from.Pid == 0:
			return int(n), 0
		}
	}
}

// Transmit sends b to the kernel over a netlink socket.
func Transmit(fd int, b []byte) syscall.Errno {
	to := unix.RawSockaddrNetlink{Family: unix.AF_NETLINK}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), 0, uintptr(unsafe.Pointer(&to)), unsafe.Sizeof(to))
		if errno != unix.EINTR {
			return errno
		}
	}
}
