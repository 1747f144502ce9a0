package sockdiag

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// header is struct nlmsghdr (linux/netlink.h).
type header struct {
	length uint32
	kind   uint16
	flags  uint16
	seq    uint32
}

const headerSize = unix.SizeofNlMsghdr

// align rounds up to the 4 bytes netlink messages and attributes are aligned to (NLMSG_ALIGN, NLA_ALIGN).
func align(n int) int { return (n + 3) &^ 3 }

// cutMessage splits the first message off b. ok is false at the end of b and for a length that cannot be true; whole is
// false only for the latter.
func cutMessage(b []byte) (h header, body, rest []byte, ok, whole bool) {
	if len(b) == 0 {
		return h, nil, nil, false, true
	}
	if len(b) < headerSize {
		return h, nil, nil, false, false
	}
	h = header{length: binary.NativeEndian.Uint32(b), kind: binary.NativeEndian.Uint16(b[4:]),
		flags: binary.NativeEndian.Uint16(b[6:]), seq: binary.NativeEndian.Uint32(b[8:])}
	if h.length < headerSize || uint64(h.length) > uint64(len(b)) {
		return h, nil, nil, false, false
	}
	body = b[headerSize:h.length]
	return h, body, b[min(align(int(h.length)), len(b)):], true, true
}

// messageErrno returns the error number an NLMSG_ERROR or NLMSG_DONE message carries, 0 for none.
func messageErrno(body []byte) syscall.Errno {
	if len(body) < 4 {
		return 0
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code < 0 {
		return syscall.Errno(-int64(code))
	}
	return 0
}

// receive reads one datagram of the kernel into b. It returns the datagram's full length, which is larger than len(b) if
// it was cut; datagrams of other processes, which a privileged one could send, are skipped.
//
// As a rule the kernel has the answer ready, or builds it within the call: then telling the scheduler of a call that may block
// would cost more than it saves.
func receive(fd int, b []byte, flags int) (int, syscall.Errno) {
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

// transmit sends b to the kernel.
func transmit(fd int, b []byte) syscall.Errno {
	to := unix.RawSockaddrNetlink{Family: unix.AF_NETLINK}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), 0, uintptr(unsafe.Pointer(&to)), unsafe.Sizeof(to))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// peek returns 0 if a datagram can be received at once, EAGAIN if not, or the error to be reported instead.
func peek(fd int) syscall.Errno {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 0, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// dropped returns the socket's count of datagrams that found its receive buffer full (SK_MEMINFO_DROPS,
// linux/sock_diag.h).
func dropped(fd int) uint32 {
	const memoryFields, drops = 9, 8
	var memory [memoryFields]uint32
	size := uint32(unsafe.Sizeof(memory))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&memory)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || size < uint32(unsafe.Sizeof(memory)) {
		return 0
	}
	return memory[drops]
}
