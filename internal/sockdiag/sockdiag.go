// Package sockdiag reads the kernel's socket tables and its notices of destroyed sockets over netlink (sock_diag(7)): one
// walk over all TCP sockets, exact reads of many named ones, UDP sockets, and the destroy multicast. It decodes and counts
// what it cannot decode; it keeps no state about sockets and draws no conclusions from them.
//
// Every byte from the kernel is treated as untrusted: lengths that lie end the message, never the program. Nothing on the
// read path allocates.
package sockdiag

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/netns"
	"github.com/beaconwatch/beaconwatch/internal/socket"
)

// chunkSize is the largest netlink message batch the kernel builds for a dump when the reader offers that much room
// (netlink_recvmsg, net/netlink/af_netlink.c); larger buffers gain nothing.
const chunkSize = 32 << 10

// MaxBatch is how many sockets one Get may name: their answers have to fit the receive buffer together.
const MaxBatch = 128

// answerTimeout bounds the wait for an answer of the kernel, which normally comes within the call.
const answerTimeout = 5 * time.Second

// Config says where to look. The zero Config is the caller's own network namespace.
type Config struct {
	// NetNS is an open descriptor of the network namespace to look into (setns(2)), 0 for the caller's own. It is only
	// used while dialling and may be closed afterwards.
	NetNS int
	// ReceiveBuffer is the size in bytes of the socket's receive buffer, 0 for 1 MiB (requests) or 8 MiB (events). It is
	// enforced with CAP_NET_ADMIN, else capped by net.core.rmem_max.
	ReceiveBuffer int
}

// Conn asks the kernel about sockets. It is not safe for concurrent use, and one answer is read at a time: a Dump or Get
// ends the one before it.
type Conn struct {
	fd        int
	seq       uint32
	malformed uint64
	request   []byte
	dump      Dump
	replies   Replies
}

// Dial opens a netlink socket for requests. Errors wrap the kernel's syscall.Errno.
func Dial(cfg Config) (*Conn, error) {
	size := cfg.ReceiveBuffer
	if size == 0 {
		size = 1 << 20
	}
	fd, err := open(cfg.NetNS, unix.SOCK_CLOEXEC, size)
	if err != nil {
		return nil, err
	}
	timeout := unix.NsecToTimeval(int64(answerTimeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("sockdiag: receive timeout: %w", err)
	}
	c := &Conn{fd: fd, request: make([]byte, 0, MaxBatch*getSize)}
	c.dump = Dump{conn: c, buffer: make([]byte, chunkSize)}
	c.replies = Replies{conn: c, buffer: make([]byte, 4<<10)}
	return c, nil
}

// Malformed returns how many messages could not be decoded.
func (c *Conn) Malformed() uint64 { return c.malformed }

// Close closes the socket.
func (c *Conn) Close() error {
	if err := unix.Close(c.fd); err != nil {
		return fmt.Errorf("sockdiag: close: %w", err)
	}
	return nil
}

// open opens a bound sock_diag socket in the namespace ns with a receive buffer of size bytes if that is allowed.
func open(ns, flags, size int) (fd int, err error) {
	err = netns.Do(ns, func() error {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|flags, unix.NETLINK_SOCK_DIAG)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("sockdiag: open: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("sockdiag: bind: %w", err)
	}
	socket.SetReceiveBuffer(fd, size)
	return fd, nil
}
