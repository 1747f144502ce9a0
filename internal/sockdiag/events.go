package sockdiag

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Group is a multicast group of destroyed sockets (enum sknetlink_groups, linux/sock_diag.h).
type Group int

// The groups of TCP and UDP over IPv4 and IPv6.
const (
	TCPDestroyed  Group = 1
	UDPDestroyed  Group = 2
	TCP6Destroyed Group = 3
	UDP6Destroyed Group = 4
)

// ErrOverrun says that the receive buffer was full and notices were dropped; Events.Drops counts them.
var ErrOverrun = errors.New("sockdiag: notices dropped: receive buffer full")

// eventSize holds one notice: struct inet_diag_msg, a protocol and a struct tcp_info with room to grow.
const eventSize = 2 << 10

// Events are notices of destroyed sockets. Only Interrupt may be called concurrently with other methods.
type Events struct {
	fd        int
	groups    []Group
	file      *os.File
	raw       syscall.RawConn
	buffer    []byte
	ready     func(fd uintptr) bool
	overrun   bool
	malformed uint64
}

// Subscribe joins the groups. The subscription needs no privilege; a receive buffer beyond net.core.rmem_max needs
// CAP_NET_ADMIN. Errors wrap the kernel's syscall.Errno.
func Subscribe(cfg Config, groups ...Group) (*Events, error) {
	size := cfg.ReceiveBuffer
	if size == 0 {
		size = 8 << 20
	}
	fd, err := open(cfg.NetNS, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, size)
	if err != nil {
		return nil, err
	}
	e := &Events{fd: fd, groups: groups, file: os.NewFile(uintptr(fd), "sock_diag events"), buffer: make([]byte, eventSize)}
	if err := e.Join(); err != nil {
		e.file.Close()
		return nil, err
	}
	e.ready = func(fd uintptr) bool {
		errno := peek(int(fd))
		e.overrun = e.overrun || errno == unix.ENOBUFS // the kernel reports it once, to whoever asks first
		return errno != unix.EAGAIN
	}
	if e.raw, err = e.file.SyscallConn(); err != nil {
		e.file.Close()
		return nil, fmt.Errorf("sockdiag: poll notices: %w", err)
	}
	return e, nil
}

// Join joins the groups again after Leave.
func (e *Events) Join() error { return e.member(unix.NETLINK_ADD_MEMBERSHIP) }

// Leave leaves the groups. Where nobody else listens to them, sockets are then destroyed without the price of a notice.
func (e *Events) Leave() error { return e.member(unix.NETLINK_DROP_MEMBERSHIP) }

func (e *Events) member(option int) error {
	for _, g := range e.groups {
		if err := unix.SetsockoptInt(e.fd, unix.SOL_NETLINK, option, int(g)); err != nil {
			return fmt.Errorf("sockdiag: membership of group %d: %w", g, err)
		}
	}
	return nil
}

// SetDeadline makes Wait give up at t; the zero t never.
func (e *Events) SetDeadline(t time.Time) error {
	if err := e.file.SetReadDeadline(t); err != nil {
		return fmt.Errorf("sockdiag: notice deadline: %w", err)
	}
	return nil
}

// Interrupt makes Wait return at once, and again until the next SetDeadline.
func (e *Events) Interrupt() { _ = e.file.SetReadDeadline(time.Unix(1, 0)) }

// Wait blocks until a notice is there (true) or the deadline has passed (false). It does not occupy a thread.
func (e *Events) Wait() (bool, error) {
	err := e.raw.Read(e.ready)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	}
	return false, fmt.Errorf("sockdiag: wait for notice: %w", err)
}

// Next decodes the next notice that is already there into s and reports whether there was one; it never blocks. After
// ErrOverrun there may be more.
func (e *Events) Next(s *Socket) (bool, error) {
	if e.overrun {
		e.overrun = false
		return false, ErrOverrun
	}
	for {
		n, errno := receive(e.fd, e.buffer, unix.MSG_DONTWAIT)
		switch errno {
		case 0:
		case unix.EAGAIN:
			return false, nil
		case unix.ENOBUFS:
			return false, ErrOverrun
		default:
			return false, fmt.Errorf("sockdiag: receive notice: %w", errno)
		}
		h, body, _, ok, _ := cutMessage(e.buffer[:min(n, len(e.buffer))])
		if ok && h.kind == byFamily && s.decode(body) {
			return true, nil
		}
		e.malformed++
	}
}

// Drops returns how many notices the kernel dropped because the receive buffer was full, as it counts them (SO_MEMINFO,
// 4.12 and later; 0 before).
func (e *Events) Drops() uint64 { return uint64(dropped(e.fd)) }

// Malformed returns how many notices could not be decoded.
func (e *Events) Malformed() uint64 { return e.malformed }

// Close ends it. A Wait under way returns with an error.
func (e *Events) Close() error {
	if err := e.file.Close(); err != nil {
		return fmt.Errorf("sockdiag: close: %w", err)
	}
	return nil
}
