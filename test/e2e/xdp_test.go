package e2e

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendXDP sends one frame by an AF_XDP socket (linux/if_xdp.h), which copies it to the first queue of the interface.
func sendXDP(index int, frame []byte) error {
	const frameSize, frames = 4096, 4
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("AF_XDP: %w", err)
	}
	defer unix.Close(fd)
	memory, err := unix.Mmap(-1, 0, frameSize*frames, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(memory) }()
	region := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&memory[0]))), Len: uint64(len(memory)), Size: frameSize}
	set := func(option int, value unsafe.Pointer, size uintptr) {
		if _, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option), uintptr(value), size, 0); errno != 0 {
			err = errors.Join(err, fmt.Errorf("AF_XDP option %d: %w", option, errno))
		}
	}
	set(unix.XDP_UMEM_REG, unsafe.Pointer(&region), unsafe.Sizeof(region))
	entries := uint32(frames)
	for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_TX_RING} {
		set(ring, unsafe.Pointer(&entries), unsafe.Sizeof(entries))
	}
	if err != nil {
		return err
	}
	var offsets unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(offsets))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&offsets)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return errno
	}
	tx, err := unix.Mmap(fd, unix.XDP_PGOFF_TX_RING, int(offsets.Tx.Desc)+frames*int(unsafe.Sizeof(unix.XDPDesc{})),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(tx) }()
	if err := unix.Bind(fd, &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(index)}); err != nil {
		return fmt.Errorf("AF_XDP bind: %w", err)
	}
	copy(memory, frame)
	*(*unix.XDPDesc)(unsafe.Pointer(&tx[offsets.Tx.Desc])) = unix.XDPDesc{Len: uint32(len(frame))}
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&tx[offsets.Tx.Producer])), 1)
	if err := unix.Sendto(fd, nil, unix.MSG_DONTWAIT, nil); err != nil {
		return fmt.Errorf("AF_XDP send: %w", err)
	}
	return nil
}
