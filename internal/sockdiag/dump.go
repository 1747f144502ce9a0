package sockdiag

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/socket"
)

// Dump is the answer to a walk, read chunk by chunk as the kernel builds it:
//
//	for d.Receive() {
//		for d.Next(&socket) {
//		}
//	}
//	err := d.Err()
//
// The kernel builds the first chunk within the call that asks, and each further one within the Receive that fetches the
// one before it: that is when the sockets in it looked as they do.
type Dump struct {
	conn   *Conn
	buffer []byte
	rest   []byte
	seq    uint32
	open   bool
	err    error
}

// DumpTCP starts a walk over the TCP sockets, IPv4 and IPv6, that are in one of states. The Dump is valid until the next
// request on c.
func (c *Conn) DumpTCP(states States) (*Dump, error) {
	return c.startDump(func(b []byte, seq uint32) []byte { return appendTCPDump(b, states, seq) })
}

// DumpUDP starts a walk over the UDP sockets of one family (unix.AF_INET, unix.AF_INET6) that are in one of states. They
// come without a tcp_info. The Dump is valid until the next request on c.
func (c *Conn) DumpUDP(family uint8, states States) (*Dump, error) {
	return c.startDump(func(b []byte, seq uint32) []byte {
		return appendFamilyDump(b, family, unix.IPPROTO_UDP, states, seq)
	})
}

func (c *Conn) startDump(appendRequest func([]byte, uint32) []byte) (*Dump, error) {
	d := &c.dump
	d.abandon()
	c.seq++
	c.request = appendRequest(c.request[:0], c.seq)
	if errno := socket.Transmit(c.fd, c.request); errno != 0 {
		return nil, fmt.Errorf("sockdiag: request dump: %w", errno)
	}
	d.seq, d.open, d.rest, d.err = c.seq, true, nil, nil
	return d, nil
}

// Receive fetches the next chunk and reports whether there is one; sockets of the last chunk not yet read are dropped.
func (d *Dump) Receive() bool {
	d.rest = nil
	if !d.open {
		return false
	}
	n, errno := socket.Receive(d.conn.fd, d.buffer, 0)
	if errno != 0 {
		return d.fail(errno)
	}
	if n > len(d.buffer) {
		d.conn.malformed++
		n = len(d.buffer)
	}
	d.rest = d.buffer[:n]
	return true
}

// Next decodes the next socket of the chunk into s and reports whether there was one.
func (d *Dump) Next(s *Socket) bool {
	for {
		h, body, rest, ok, whole := cutMessage(d.rest)
		if !ok {
			if !whole {
				d.conn.malformed++
			}
			d.rest = nil
			return false
		}
		d.rest = rest
		switch {
		case h.seq != d.seq: // of an earlier request
		case h.kind == unix.NLMSG_DONE || h.kind == unix.NLMSG_ERROR:
			d.open, d.rest = false, nil
			if errno := messageErrno(body); errno != 0 {
				d.fail(errno)
			}
			return false
		case h.kind != legacyTCP && h.kind != byFamily:
		case s.decode(body):
			return true
		default:
			d.conn.malformed++
		}
	}
}

// abandon reads an unfinished dump to its end: the kernel refuses a second one before that.
func (d *Dump) abandon() {
	var s Socket
	for d.Receive() {
		for d.Next(&s) {
		}
	}
}

// Err returns why the walk ended early, nil if it is complete. It wraps the kernel's syscall.Errno.
func (d *Dump) Err() error { return d.err }

func (d *Dump) fail(errno syscall.Errno) bool {
	d.open, d.err = false, fmt.Errorf("sockdiag: dump: %w", errno)
	return false
}
