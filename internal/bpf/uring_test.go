package bpf

import (
	"errors"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of io_uring (linux/io_uring.h).
const (
	opSendmsg = 9
	opSend    = 26
)

// uringSend sends n bytes with IORING_OP_SEND.
func uringSend(fd, n int) error {
	payload := make([]byte, n)
	defer runtime.KeepAlive(payload)
	return uring(fd, opSend, unsafe.Pointer(&payload[0]), n, n)
}

// uringSendmsg sends n bytes to an address with IORING_OP_SENDMSG.
func uringSendmsg(fd, n int, to unix.Sockaddr) error {
	payload := make([]byte, n)
	vector := unix.Iovec{Base: &payload[0]}
	vector.SetLen(n)
	h := &unix.Msghdr{Iov: &vector}
	h.SetIovlen(1)
	h.Name, h.Namelen = rawAddress(to)
	defer runtime.KeepAlive(h)
	return uring(fd, opSendmsg, unsafe.Pointer(h), 1, n)
}

// uring has the kernel do one operation, which must end with want (io_uring_setup(2), io_uring_enter(2)).
func uring(fd int, op uint8, address unsafe.Pointer, length, want int) error {
	const (
		enterGetsEvs = 1
		offSQ, offCQ = 0, 0x8000000
		offEntries   = 0x10000000
	)
	type submissionOffsets struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	type completionOffsets struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
	var params struct {
		sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
		_                                                    [3]uint32
		sq                                                   submissionOffsets
		cq                                                   completionOffsets
	}
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno == unix.ENOSYS || errno == unix.EPERM {
		return errAbsent
	}
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(ring))
	var failed error
	shared := func(offset int64, size int) []byte {
		b, err := unix.Mmap(int(ring), offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		failed = errors.Join(failed, err)
		return b
	}
	sq, cq, entries := shared(offSQ, 4096), shared(offCQ, 4096), shared(offEntries, 4096)
	if failed != nil {
		return failed
	}
	defer func() { _, _, _ = unix.Munmap(sq), unix.Munmap(cq), unix.Munmap(entries) }()

	*(*uint8)(unsafe.Pointer(&entries[0])) = op
	*(*int32)(unsafe.Pointer(&entries[4])) = int32(fd)
	*(*uint64)(unsafe.Pointer(&entries[16])) = uint64(uintptr(address))
	*(*uint32)(unsafe.Pointer(&entries[24])) = uint32(length)
	*(*uint32)(unsafe.Pointer(&sq[params.sq.array])) = 0
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&sq[params.sq.tail])), 1)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, ring, 1, 1, enterGetsEvs, 0, 0); errno != 0 {
		return errno
	}
	if got := *(*int32)(unsafe.Pointer(&cq[params.cq.cqes+8])); got != int32(want) {
		return unix.Errno(-got)
	}
	return nil
}
