package socket

import (
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// SetReceiveBuffer asks for a receive buffer of so many bytes; beyond net.core.rmem_max that takes CAP_NET_ADMIN. A smaller one
// than asked for is not an error: what is lost through it is counted.
func SetReceiveBuffer(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
}

// Filter has the kernel drop, before it is queued, what the classic BPF program returns 0 for.
func Filter(fd int, instructions []bpf.Instruction) error {
	program, err := bpf.Assemble(instructions)
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

// Drops returns how many datagrams found the receive buffer full (SK_MEMINFO_DROPS, linux/sock_diag.h; Linux 4.12 and later, 0
// before).
func Drops(fd int) uint64 {
	const memoryFields, drops = 9, 8
	var memory [memoryFields]uint32
	size := uint32(unsafe.Sizeof(memory))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&memory)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || size < uint32(unsafe.Sizeof(memory)) {
		return 0
	}
	return uint64(memory[drops])
}
