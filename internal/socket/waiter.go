// Package socket is what the sockets on which the kernel tells of something have in common: waiting without occupying a thread, a
// receive buffer and its losses, a filter, netlink's datagrams. It opens no socket and decodes nothing.
package socket

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Waiter waits for what comes in on a socket, or on another descriptor that can be polled. Only Interrupt may be called concurrently with other methods.
type Waiter struct {
	name    string
	file    *os.File
	raw     syscall.RawConn
	ready   func(fd uintptr) bool
	overrun bool
}

// NewWaiter takes over a non-blocking socket, and closes it if it cannot be waited for. Errors begin with name.
func NewWaiter(fd int, name string) (*Waiter, error) {
	w := &Waiter{}
	w.ready = func(fd uintptr) bool {
		errno := peek(int(fd))
		w.overrun = w.overrun || errno == unix.ENOBUFS // the kernel reports it once, to whoever asks first
		return errno != unix.EAGAIN
	}
	return w.take(fd, name)
}

// NewWaiterFor is NewWaiter for a non-blocking descriptor of another kind, of which ready says whether something is there.
func NewWaiterFor(fd int, name string, ready func() bool) (*Waiter, error) {
	w := &Waiter{ready: func(uintptr) bool { return ready() }}
	return w.take(fd, name)
}

func (w *Waiter) take(fd int, name string) (_ *Waiter, err error) {
	w.name, w.file = name, os.NewFile(uintptr(fd), name)
	if w.raw, err = w.file.SyscallConn(); err == nil {
		err = w.file.SetReadDeadline(time.Time{}) // which needs the poller of the runtime
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: poll: %w", name, err), w.file.Close())
	}
	return w, nil
}

// SetDeadline makes Wait give up at t; the zero t never.
func (w *Waiter) SetDeadline(t time.Time) error {
	if err := w.file.SetReadDeadline(t); err != nil {
		return fmt.Errorf("%s: deadline: %w", w.name, err)
	}
	return nil
}

// Interrupt makes Wait return at once, and again until the next SetDeadline.
func (w *Waiter) Interrupt() { _ = w.file.SetReadDeadline(time.Unix(1, 0)) }

// Wait blocks until something is there (true) or the deadline has passed (false).
func (w *Waiter) Wait() (bool, error) {
	err := w.raw.Read(w.ready)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	}
	return false, fmt.Errorf("%s: wait: %w", w.name, err)
}

// Overrun reports whether Wait was told, since the last call, that the receive buffer was full and something was dropped.
func (w *Waiter) Overrun() bool {
	was := w.overrun
	w.overrun = false
	return was
}

// Close closes the socket. A Wait under way returns with an error.
func (w *Waiter) Close() error {
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("%s: close: %w", w.name, err)
	}
	return nil
}

// peek returns 0 if something can be received at once, EAGAIN if not, or the error to be reported instead.
func peek(fd int) syscall.Errno {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 0, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}
