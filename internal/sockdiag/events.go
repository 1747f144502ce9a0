package sockdiag

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/socket"
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
	*socket.Waiter
	fd        int
	groups    []Group
	buffer    []byte
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
	waiter, err := socket.NewWaiter(fd, "sockdiag notices")
	if err != nil {
		return nil, err
	}
	e := &Events{Waiter: waiter, fd: fd, groups: groups, buffer: make([]byte, eventSize)}
	if err := e.Join(); err != nil {
		return nil, errors.Join(err, waiter.Close())
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

// Next decodes the next notice that is already there into s and reports whether there was one; it never blocks. After
// ErrOverrun there may be more.
func (e *Events) Next(s *Socket) (bool, error) {
	if e.Overrun() {
		return false, ErrOverrun
	}
	for {
		n, errno := socket.Receive(e.fd, e.buffer, unix.MSG_DONTWAIT)
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
func (e *Events) Drops() uint64 { return socket.Drops(e.fd) }

// Malformed returns how many notices could not be decoded.
func (e *Events) Malformed() uint64 { return e.malformed }
