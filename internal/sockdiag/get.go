package sockdiag

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/socket"
)

// Replies are the answers to a Get.
type Replies struct {
	conn    *Conn
	buffer  []byte
	first   uint32
	pending int
	err     error
}

// Reply is the answer to one query.
type Reply struct {
	// Index is that of the query.
	Index int
	// Found is false if no such socket exists any more.
	Found bool
}

// Get reads the TCP sockets named by queries, at most MaxBatch, in one request; the kernel looks at them within the call.
// The Replies are valid until the next request on c.
func (c *Conn) Get(queries []Query) (*Replies, error) {
	if len(queries) > MaxBatch {
		return nil, fmt.Errorf("sockdiag: get: %d queries, at most %d", len(queries), MaxBatch)
	}
	c.dump.abandon()
	r := &c.replies
	r.first, r.pending, r.err = c.seq+1, len(queries), nil
	c.request = c.request[:0]
	for _, q := range queries {
		c.seq++
		c.request = appendGet(c.request, q, c.seq)
	}
	if len(queries) == 0 {
		return r, nil
	}
	if errno := socket.Transmit(c.fd, c.request); errno != 0 {
		return nil, fmt.Errorf("sockdiag: request sockets: %w", errno)
	}
	return r, nil
}

// Next decodes the next answer, the socket into s if it was found, and reports whether there was one. Answers come in the
// order of the queries.
func (r *Replies) Next(s *Socket) (Reply, bool) {
	for r.pending > 0 {
		n, errno := socket.Receive(r.conn.fd, r.buffer, 0)
		if errno != 0 {
			r.pending, r.err = 0, fmt.Errorf("sockdiag: get: %w", errno)
			break
		}
		h, body, _, ok, _ := cutMessage(r.buffer[:min(n, len(r.buffer))])
		if !ok {
			r.conn.malformed++
			r.pending--
			continue
		}
		index := int(int32(h.seq - r.first))
		if index < 0 || index >= MaxBatch {
			continue // of an earlier request
		}
		r.pending--
		if h.kind == unix.NLMSG_ERROR {
			return Reply{Index: index}, true
		}
		if s.decode(body) {
			return Reply{Index: index, Found: true}, true
		}
		r.conn.malformed++
	}
	return Reply{}, false
}

// Err returns why answers are missing, nil if all came.
func (r *Replies) Err() error { return r.err }
