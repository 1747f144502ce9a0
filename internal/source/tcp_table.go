package source

import (
	"net/netip"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// direction is who opened a connection.
type direction uint8

const (
	undecided direction = iota
	outbound
	inbound
)

// connection is what is remembered of one TCP socket, by its cookie, between two readings of it.
type connection struct {
	cookie        uint64
	local, remote netip.AddrPort
	inode, uid    uint32
	netif         uint32
	pass          uint32 // the last complete pass that saw it
	direction     direction
	tries         uint8 // readings that could not decide the direction
	connecting    bool  // SYN sent, not answered yet
	announced     bool  // its Open is emitted, or it was there before us
	ended         bool  // its Close or Failed is emitted, but the kernel has not destroyed it yet
	doubtful      bool  // another source may be about to tell of it
	followed      bool  // another source tells of its beginning and its end
	retransmits   uint8 // of the SYN, while connecting
	segments      uint32
	retrans       uint32
	counter       uint64 // payload at the last reading, as the kernel counts it
	unsent        uint64 // of counter: counted, but never left, see payload
	sent          uint64 // payload reported so far
	received      uint64
	known         boottime.Time // the latest instant for which the counters above are known to be true
	active        boottime.Time // the last payload, or the beginning
	missed        boottime.Time // first missing in a pass
}

// socket returns the connection in the words of sends.
func (c *connection) socket(netns uint64) send.Socket {
	s := send.Socket{Cookie: c.cookie, Inode: uint64(c.inode), NetNS: netns, UID: c.uid, Protocol: send.TCP,
		Local: c.local, Remote: c.remote}
	return s
}

// connections holds connections by cookie, at most limit of them, in slots that are reused.
type connections struct {
	limit int
	slots []connection
	free  []int32
	index map[uint64]int32
	next  int32 // the slot behind the one last asked for: passes meet connections in the order of the pass before
}

func newConnections(limit int) *connections {
	return &connections{limit: limit, index: make(map[uint64]int32)}
}

// get returns the connection with that cookie, nil if there is none. The pointer is valid until the next add.
func (t *connections) get(cookie uint64) *connection {
	slot := t.next
	if int(slot) >= len(t.slots) || t.slots[slot].cookie != cookie {
		var ok bool
		if slot, ok = t.index[cookie]; !ok {
			return nil
		}
	}
	t.next = slot + 1
	return &t.slots[slot]
}

// add returns a fresh connection for that cookie, nil if the table is full. The pointer is valid until the next add.
func (t *connections) add(cookie uint64) *connection {
	if len(t.index) >= t.limit {
		return nil
	}
	var slot int32
	if last := len(t.free) - 1; last >= 0 {
		slot = t.free[last]
		t.free = t.free[:last]
	} else {
		slot = int32(len(t.slots))
		t.slots = append(t.slots, connection{})
	}
	t.slots[slot] = connection{cookie: cookie}
	t.index[cookie], t.next = slot, slot+1
	return &t.slots[slot]
}

// remove forgets the connection with that cookie.
func (t *connections) remove(cookie uint64) {
	slot, ok := t.index[cookie]
	if !ok {
		return
	}
	delete(t.index, cookie)
	t.slots[slot] = connection{}
	t.free = append(t.free, slot)
}
