package packet

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many packets one system call takes at most.
const batchSize = 32

// header is struct mmsghdr (recvmmsg(2)): a message header and the length received.
type header struct {
	unix.Msghdr
	length uint32
}

// slot is where one packet is received.
type slot struct {
	header  *header
	vector  unix.Iovec
	buffer  []byte
	control [8]uint64 // aligned as the kernel aligns control messages
	from    unix.RawSockaddrLinklayer
}

// batch is packets received together.
type batch struct {
	headers []header
	slots   []slot
	next    int // the first not taken yet
	end     int
	at      time.Time // when they were received
	boot    int64     // the same on CLOCK_BOOTTIME
}

// newBatch makes room for so many packets of at most size bytes each.
func newBatch(packets, size int) batch {
	b := batch{headers: make([]header, packets), slots: make([]slot, packets)}
	for i := range b.slots {
		s := &b.slots[i]
		s.header, s.buffer = &b.headers[i], make([]byte, size)
		s.vector.Base = &s.buffer[0]
		s.vector.SetLen(size)
		s.header.Name, s.header.Control = (*byte)(unsafe.Pointer(&s.from)), (*byte)(unsafe.Pointer(&s.control))
		s.header.Iov = &s.vector
		s.header.SetIovlen(1)
	}
	return b
}

// receive takes the packets that are there, at most a batch; 0 if there are none.
func (b *batch) receive(fd int) (int, error) {
	for i := range b.slots {
		b.headers[i].Namelen = uint32(unsafe.Sizeof(b.slots[i].from))
		b.headers[i].SetControllen(int(unsafe.Sizeof(b.slots[i].control)))
	}
	b.next, b.end = 0, 0
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(len(b.headers)),
			unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			var boot unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
				return 0, fmt.Errorf("packet: receive: %w", err)
			}
			b.end, b.at, b.boot = int(n), time.Now(), boot.Nano()
			return b.end, nil
		case unix.EINTR, unix.ENETDOWN: // an interface went down
			continue
		case unix.EAGAIN:
			return 0, nil
		}
		return 0, fmt.Errorf("packet: receive: %w", errno)
	}
}

// take returns the next packet received, nil if all were taken. It is valid until the next receive.
func (b *batch) take() *slot {
	if b.next == b.end {
		return nil
	}
	b.next++
	return &b.slots[b.next-1]
}

func (s *slot) bytes() []byte { return s.buffer[:min(int(s.header.length), len(s.buffer))] }

// waited returns how long before now the kernel stamped the packet: the one control message asked for is a struct timespec of
// CLOCK_REALTIME.
func (s *slot) waited(now time.Time) time.Duration {
	note := (*unix.Cmsghdr)(unsafe.Pointer(&s.control))
	if int(s.header.Controllen) < unix.CmsgLen(int(unsafe.Sizeof(unix.Timespec{}))) || note.Level != unix.SOL_SOCKET ||
		note.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	stamp := (*unix.Timespec)(unsafe.Add(unsafe.Pointer(&s.control), unix.CmsgLen(0)))
	return max(time.Duration(now.UnixNano()-stamp.Nano()), 0)
}
