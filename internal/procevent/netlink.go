package procevent

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The operations of enum proc_cn_mcast_op (linux/cn_proc.h).
const (
	listen uint32 = 1
	ignore uint32 = 2
)

// request returns a message to the connector: struct nlmsghdr, struct cn_msg and the operation.
func request(operation, token uint32) []byte {
	b := make([]byte, procEventAt+4)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE)
	binary.NativeEndian.PutUint32(b[cnMsgAt:], connectorIndex)
	binary.NativeEndian.PutUint32(b[cnMsgAt+4:], connectorIndex)
	binary.NativeEndian.PutUint32(b[cnAckAt:], token)
	binary.NativeEndian.PutUint16(b[cnLengthAt:], 4)
	binary.NativeEndian.PutUint32(b[procEventAt:], operation)
	return b
}

// attachFilter has the kernel drop, before they are queued, events of kinds we do not decode and those of threads, which on a
// busy host are most. Classic BPF loads in network order.
func attachFilter(fd int) error {
	program, err := bpf.Assemble(filter())
	if err != nil {
		return err
	}
	raw := make([]unix.SockFilter, len(program))
	for i, p := range program {
		raw[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]})
}

// filter accepts answers, forks whose child is a process, and the other kinds where thread and process id are the same.
func filter() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: procEventAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(none), SkipTrue: 14},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Fork), SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Exec), SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Exit), SkipTrue: 7},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(UID), SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Comm), SkipTrue: 5},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: payloadAt + 8, Size: 4}, // the child's thread id
		bpf.TAX{},
		bpf.LoadAbsolute{Off: payloadAt + 12, Size: 4}, // and process id
		bpf.Jump{Skip: 3},
		bpf.LoadAbsolute{Off: payloadAt, Size: 4},
		bpf.TAX{},
		bpf.LoadAbsolute{Off: payloadAt + 4, Size: 4},
		bpf.JumpIfX{Cond: bpf.JumpNotEqual, SkipTrue: 1},
		bpf.RetConstant{Val: datagramSize},
		bpf.RetConstant{Val: 0},
	}
}

// network returns k as a load in network order sees it.
func network(k Kind) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(k))
	return binary.BigEndian.Uint32(b[:])
}

// receive reads one datagram of the kernel into b; those of other processes, which a privileged one could send, are
// skipped. What does not fit is cut off.
func receive(fd int, b []byte) (int, syscall.Errno) {
	for {
		var from unix.RawSockaddrNetlink
		size := uint32(unsafe.Sizeof(from))
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
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
