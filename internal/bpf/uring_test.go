package bpf

import (
	"errors"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uringSend sends n bytes with one IORING_OP_SEND (io_uring_setup(2), io_uring_enter(2), linux/io_uring.h).
func uringSend(fd, n int) error {
	const (
		opSend       = 26
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

	payload := make([]byte, n)
	*(*uint8)(unsafe.Pointer(&entries[0])) = opSend
	*(*int32)(unsafe.Pointer(&entries[4])) = int32(fd)
	*(*uint64)(unsafe.Pointer(&entries[16])) = uint64(uintptr(unsafe.Pointer(&payload[0])))
	*(*uint32)(unsafe.Pointer(&entries[24])) = uint32(n)
	*(*uint32)(unsafe.Pointer(&sq[params.sq.array])) = 0
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&sq[params.sq.tail])), 1)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, ring, 1, 1, enterGetsEvs, 0, 0); errno != 0 {
		return errno
	}
	runtime.KeepAlive(payload)
	if got := *(*int32)(unsafe.Pointer(&cq[params.cq.cqes+8])); got != int32(n) {
		return unix.Errno(-got)
	}
	return nil
}
