// Package procevent reads the kernel's process events from the netlink proc connector (linux/cn_proc.h): fork, exec, change
// of user or name, exit. It decodes, and counts what it lost or cannot decode; it keeps no process table and never looks
// into /proc.
//
// The kernel reports to the initial PID and user namespace only. It asks for CAP_NET_ADMIN before 6.6.
package procevent

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
	fd        int
	file      *os.File
	raw       syscall.RawConn
	buffer    []byte
	ready     func(fd uintptr) bool
	overrun   bool
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
	c := &Conn{fd: fd, file: os.NewFile(uintptr(fd), "proc connector"), buffer: make([]byte, datagramSize)}
	c.ready = func(fd uintptr) bool {
		errno := peek(int(fd))
		c.overrun = c.overrun || errno == unix.ENOBUFS // the kernel reports it once, to whoever asks first
		return errno != unix.EAGAIN
	}
	if err := c.subscribe(cfg.ReceiveBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("procevent: subscribe: %w", err), c.file.Close())
	}
	return c, nil
}

func (c *Conn) subscribe(size int) (err error) {
	if c.raw, err = c.file.SyscallConn(); err != nil {
		return err
	}
	// a smaller buffer than asked for is not an error: what is lost through it is counted
	if unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	if err := attachFilter(c.fd); err != nil {
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
	if errno := transmit(c.fd, request(listen, token)); errno != 0 {
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
			n, errno := receive(c.fd, c.buffer)
			if errno == unix.EAGAIN || errno == unix.ENOBUFS {
				break
			}
			if errno != 0 {
				return errno
			}
			if got, refused, ok := c.scratch.decode(c.buffer[:n]); ok && c.scratch.Kind == none && got == ack {
				if refused != 0 {
					return refused
				}
				return c.SetDeadline(time.Time{})
			}
		}
	}
}

// SetDeadline makes Wait give up at t; the zero t never.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.file.SetReadDeadline(t); err != nil {
		return fmt.Errorf("procevent: deadline: %w", err)
	}
	return nil
}

// Interrupt makes Wait return at once, and again until the next SetDeadline.
func (c *Conn) Interrupt() { _ = c.file.SetReadDeadline(time.Unix(1, 0)) }

// Wait blocks until an event is there (true) or the deadline has passed (false). It does not occupy a thread.
func (c *Conn) Wait() (bool, error) {
	err := c.raw.Read(c.ready)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	}
	return false, fmt.Errorf("procevent: wait: %w", err)
}

// Next decodes the next event that is already there into e and reports whether there was one; it never blocks and does not
// allocate. After ErrOverrun there may be more.
func (c *Conn) Next(e *Event) (bool, error) {
	if c.overrun {
		c.overrun = false
		return false, ErrOverrun
	}
	for {
		n, errno := receive(c.fd, c.buffer)
		switch errno {
		case 0:
		case unix.EAGAIN:
			return false, nil
		case unix.ENOBUFS:
			return false, ErrOverrun
		default:
			return false, fmt.Errorf("procevent: receive: %w", errno)
		}
		_, _, ok := e.decode(c.buffer[:n])
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
func (c *Conn) Drops() uint64 { return uint64(dropped(c.fd)) }

// Malformed returns how many datagrams could not be decoded.
func (c *Conn) Malformed() uint64 { return c.malformed }

// Close ends the subscription. A Wait under way returns with an error.
func (c *Conn) Close() error {
	// before 6.6 the kernel goes on making events for nobody unless it is told
	_ = transmit(c.fd, request(ignore, 0))
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("procevent: close: %w", err)
	}
	return nil
}
