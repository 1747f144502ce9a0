package source

import (
	"cmp"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

const (
	// fullShare of the budget is for complete passes, which find new sockets; the rest for the hot set.
	fullShare = 0.75
	// hotFor is how long a socket stays in the hot set after its last payload.
	hotFor = 10 * time.Second
	// maxHot bounds the hot set; the most recent senders are in it.
	maxHot = 2 * sockdiag.MaxBatch
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
	t.clock.synchronise()
	t.rest.look()
	if t.full.start.Sub(t.listeners.refresh) >= listenerRefresh {
		if err := t.readListeners(); err != nil {
			return refused("tcp", err)
		}
	}
	if err := t.read(); err != nil {
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

// read reads every connection that is or may become known.
func (t *TCP) read() error {
	t.pass++
	if !t.complete() {
		return t.walk()
	}
	t.slots = t.slots[:0]
	for i := range t.table.slots {
		t.slots = append(t.slots, int32(i))
	}
	return t.readExactly(t.slots)
}

// walk reads every connection of the host. A chunk of them was built within the call before the one that returns it.
func (t *TCP) walk() error {
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

// sampleHot reads the sockets of the hot set alone.
func (t *TCP) sampleHot() error {
	if err := t.handleNotices(); err != nil {
		return err
	}
	t.counters.HotSamples++
	if err := t.readExactly(t.hotSet); err != nil {
		return refused("tcp", err)
	}
	return nil
}

// readExactly reads the connections in some slots of the table.
func (t *TCP) readExactly(slots []int32) error {
	var s sockdiag.Socket
	for batch := range slices.Chunk(slots, sockdiag.MaxBatch) {
		t.queries = t.queries[:0]
		for _, slot := range batch {
			c := &t.table.slots[slot]
			if c.cookie == 0 {
				continue // destroyed since the slots were chosen
			}
			t.queries = append(t.queries, sockdiag.Query{Local: c.local, Remote: c.remote, Interface: c.netif,
				Cookie: c.cookie})
		}
		at := span{from: t.clock.read()}
		replies, err := t.conn.Get(t.queries)
		if err != nil {
			return err
		}
		at.to = t.clock.read()
		for {
			reply, ok := replies.Next(&s)
			if !ok {
				break
			}
			if reply.Found && s.State != sockdiag.TimeWait && t.table.get(s.Cookie) != nil {
				t.observe(&s, at)
			}
		}
		if replies.Err() != nil {
			t.counters.Gaps++
		}
	}
	return nil
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

// sweep ends connections the pass did not find and chooses the hot set.
func (t *TCP) sweep() {
	now := t.full.start
	t.hotSet, t.inbound = t.hotSet[:0], 0
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
		case c.pass != t.pass:
			t.miss(c, now)
		case c.direction == outbound && now.Sub(c.sending) < hotFor:
			t.hotSet = append(t.hotSet, int32(i))
		}
	}
	if len(t.hotSet) > maxHot {
		slices.SortFunc(t.hotSet, func(a, b int32) int {
			return cmp.Compare(t.table.slots[b].sending, t.table.slots[a].sending)
		})
		t.hotSet = t.hotSet[:maxHot]
	}
}
