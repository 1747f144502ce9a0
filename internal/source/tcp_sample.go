package source

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

const (
	// destroyDelay is how long the notice of a socket may take that a pass did not find any more. It is still held by
	// its program, in state CLOSE, if none comes.
	destroyDelay = time.Second
	// heldFor is how long such a socket is remembered, unless room is needed.
	heldFor = 10 * time.Minute
	// brokenPasses in a row make the source give up.
	brokenPasses = 5
)

// samplePass reads all connections once: new ones are adopted, known ones report what they sent, missing ones end.
func (t *TCP) samplePass() error {
	if err := t.handleNotices(); err != nil {
		return err
	}
	t.unheard = false
	t.clock.synchronise()
	t.rest.look()
	if t.full.start.Sub(t.listeners.refresh) >= listenerRefresh {
		if err := t.readListeners(); err != nil {
			return refused("tcp", err)
		}
	}
	if err := t.walk(); err != nil {
		t.broken++
		t.counters.Gaps++
		if t.broken >= brokenPasses {
			return refused("tcp", err)
		}
		return t.handleNotices()
	}
	t.broken = 0
	if t.counters.Samples++; t.counters.Samples == 1 {
		t.forgotten = boottime.Now()
	}
	t.sweep()
	t.since = t.full.start
	return t.handleNotices()
}

// walk reads every connection of the host. A chunk of them was built within the call before the one that returns it.
func (t *TCP) walk() error {
	t.pass++
	from := t.clock.read()
	dump, err := t.conn.DumpTCP(sockdiag.Connections)
	if err != nil {
		return err
	}
	built := span{from: from, to: t.clock.read()}
	var s sockdiag.Socket
	for {
		next := span{from: t.clock.read()}
		if !dump.Receive() {
			return dump.Err()
		}
		next.to = t.clock.read()
		for dump.Next(&s) {
			t.observe(&s, built)
		}
		built = next
		if err := t.collectNotices(); err != nil {
			return err
		}
	}
}

// readListeners walks over the listening sockets.
func (t *TCP) readListeners() error {
	now := boottime.Now()
	dump, err := t.conn.DumpTCP(sockdiag.Listening)
	if err != nil {
		return err
	}
	var s sockdiag.Socket
	for dump.Receive() {
		for dump.Next(&s) {
			t.listeners.add(s.Local, now)
		}
	}
	t.listeners.expire(now)
	t.listeners.refresh = now
	return dump.Err()
}

// sweep ends connections the pass did not find.
func (t *TCP) sweep() {
	now := t.full.start
	t.inbound = 0
	crowded := len(t.table.index) > t.table.limit/8*7
	for i := range t.table.slots {
		c := &t.table.slots[i]
		if c.direction == inbound {
			t.inbound++
		}
		switch {
		case c.cookie == 0:
		case c.ended && (crowded || now.Sub(c.missed) > heldFor):
			t.table.remove(c.cookie)
			t.forgotten = now
		case c.pass == t.pass:
		case c.doubtful:
			t.table.remove(c.cookie)
		default:
			t.miss(c, now)
		}
	}
}
