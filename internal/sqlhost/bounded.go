package sqlhost

import (
	"errors"
	"net"
	"syscall"
	"time"
)

const (
	// maxRequestBytes bounds one request of a client, maxAnswerBytes one answer of an extension. Thrift itself bounds only
	// each string and list of a message.
	maxRequestBytes = 16 << 20
	maxAnswerBytes  = 256 << 20
)

var errTooMuch = errors.New("the peer sent too much")

// boundedConn ends a connection whose peer sends more than left bytes, or stops reading for longer than stall. Waiting for
// a peer to send has no limit of its own.
type boundedConn struct {
	net.Conn
	left  int
	stall time.Duration
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// watchable returns c as a syscall.Conn if it wraps one: by that Thrift notices a client that hung up while its statement
// runs, so that the statement ends.
func (c *boundedConn) watchable() net.Conn {
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return &watchedConn{c, raw}
	}
	return c
}

type watchedConn struct {
	*boundedConn
	raw syscall.Conn
}

func (c *watchedConn) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }
