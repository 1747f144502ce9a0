// Package procevent reads the kernel's process events from the netlink proc connector (linux/cn_proc.h): fork, exec, change
// of user or name, exit. It decodes, and counts what it lost or cannot decode; it keeps no process table and never looks
// into /proc.
//
// The kernel reports to the initial PID and user namespace only. It asks for CAP_NET_ADMIN before 6.6.
package procevent

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/socket"
)

// ErrOverrun says that the receive buffer was full and events were dropped; Conn.Drops counts them.
var ErrOverrun = errors.New("procevent: events dropped: receive buffer full")

// ErrSilent says that the kernel accepted the subscription but did not answer it: it serves the initial namespaces only.
var ErrSilent = errors.New("procevent: no answer of the kernel: not in the initial PID and user namespace")

// answerTimeout bounds the wait for the kernel's answer to the subscription, which comes within the call.
const answerTimeout = 2 * time.Second

// datagramSize holds one event and room for the structure to grow.
const datagramSize = 256

// Config says how to listen. The zero Config is usable.
type Config struct {
	// ReceiveBuffer is the size in bytes of the receive buffer, default 2 MiB (a few thousand events). Beyond
	// net.core.rmem_max it needs CAP_NET_ADMIN.
	ReceiveBuffer int
}

// Conn is a subscription. Only Interrupt may be called concurrently with other methods.
type Conn struct {
	*socket.Waiter
	fd        int
	buffer    []byte
	malformed uint64
	scratch   Event
}

// Open subscribes to the events of the host. Errors wrap the kernel's syscall.Errno or ErrSilent.
func Open(cfg Config) (*Conn, error) {
	if cfg.ReceiveBuffer == 0 {
		cfg.ReceiveBuffer = 2 << 20
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("procevent: open: %w", err)
	}
	waiter, err := socket.NewWaiter(fd, "procevent")
	if err != nil {
		return nil, err
	}
	c := &Conn{Waiter: waiter, fd: fd, buffer: make([]byte, datagramSize)}
	if err := c.subscribe(cfg.ReceiveBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("procevent: subscribe: %w", err), waiter.Close())
	}
	return c, nil
}

func (c *Conn) subscribe(size int) error {
	socket.SetReceiveBuffer(c.fd, size)
	if err := socket.Filter(c.fd, filter()); err != nil {
		return err
	}
	if err := unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (connectorIndex - 1)}); err != nil {
		return err
	}
	name, err := unix.Getsockname(c.fd)
	if err != nil {
		return err
	}
	token := name.(*unix.SockaddrNetlink).Pid // unique among the connector's sockets
	if errno := socket.Transmit(c.fd, request(listen, token)); errno != 0 {
		return errno
	}
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	return c.awaitAnswer(token + 1)
}

// awaitAnswer waits for the answer that carries ack, and skips the events that come before it.
func (c *Conn) awaitAnswer(ack uint32) error {
	for {
		ready, err := c.Wait()
		switch {
		case err != nil:
			return err
		case !ready:
			return ErrSilent
		}
		for {
			n, errno := socket.Receive(c.fd, c.buffer, unix.MSG_DONTWAIT)
			if errno == unix.EAGAIN || errno == unix.ENOBUFS {
				break
			}
			if errno != 0 {
				return errno
			}
			if got, refused, ok := c.scratch.decode(c.buffer[:min(n, len(c.buffer))]); ok && c.scratch.Kind == none && got == ack {
				if refused != 0 {
					return refused
				}
				return c.SetDeadline(time.Time{})
			}
		}
	}
}

// Next decodes the next event that is already there into e and reports whether there was one; it never blocks and does not
// allocate. After ErrOverrun there may be more.
func (c *Conn) Next(e *Event) (bool, error) {
	if c.Overrun() {
		return false, ErrOverrun
	}
	for {
		n, errno := socket.Receive(c.fd, c.buffer, unix.MSG_DONTWAIT)
		switch errno {
		case 0:
		case unix.EAGAIN:
			return false, nil
		case unix.ENOBUFS:
			return false, ErrOverrun
		default:
			return false, fmt.Errorf("procevent: receive: %w", errno)
		}
		_, _, ok := e.decode(c.buffer[:min(n, len(c.buffer))])
		switch {
		case !ok:
			c.malformed++
		case e.Kind != none: // else the answer to another listener
			return true, nil
		}
	}
}

// Drops returns how many events the kernel dropped because the receive buffer was full, as it counts them (SO_MEMINFO, 4.12
// and later; 0 before).
func (c *Conn) Drops() uint64 { return socket.Drops(c.fd) }

// Malformed returns how many datagrams could not be decoded.
func (c *Conn) Malformed() uint64 { return c.malformed }

// Close ends the subscription. A Wait under way returns with an error.
func (c *Conn) Close() error {
	// before 6.6 the kernel goes on making events for nobody unless it is told
	_ = socket.Transmit(c.fd, request(ignore, 0))
	return c.Waiter.Close()
}
