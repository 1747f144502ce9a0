package source

import (
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// choose decides which connections are read one by one between complete passes, and how far apart those are.
func (t *TCP) choose(now boottime.Time) {
	t.chosen = now
	all := t.cfg.Budget * (1 - overhead)
	c := costs{pass: t.full.cost, get: t.get, budget: t.cfg.Share.of(all)}
	t.watched = t.watched[:0]
	own := !t.cfg.TakenOver || t.cfg.Told == nil
	for i := range t.table.slots {
		one := &t.table.slots[i]
		own = own || one.own()
		if one.read() {
			t.watched = append(t.watched, int32(i))
			c.counts[t.ladder.level(now.Sub(one.active))]++
		}
	}
	t.hear(own)
	p := c.best(t.ladder, t.cfg.Discovery)
	t.watched = slices.DeleteFunc(t.watched, func(slot int32) bool {
		return t.ladder.level(now.Sub(t.table.slots[slot].active)) >= p.levels
	})
	t.full.min, t.full.budget = p.period, all*(1-p.cost/c.budget)
	t.exact.budget = all * (1 - float64(c.pass)/float64(p.period)/c.budget)
	t.full.due = t.full.start.Add(t.full.period())
	t.schedule()
}

// read reports whether a connection is worth reading.
func (c *connection) read() bool {
	return c.cookie != 0 && !c.ended && !c.doubtful && c.direction != inbound
}

// own reports whether the end of a connection is ours to tell.
func (c *connection) own() bool {
	return c.cookie != 0 && !c.followed && !c.doubtful && c.direction != inbound
}

// next returns when a connection is to be read again.
func (t *TCP) next(c *connection) boottime.Time {
	if c.missed != 0 {
		return c.missed.Add(destroyDelay)
	}
	return c.known.Add(t.ladder.interval(t.ladder.level(c.known.Sub(c.active))))
}

// schedule sets when the next exact readings are due: the first of them, but no sooner than their cost allows.
func (t *TCP) schedule() {
	first := boottime.Time(1<<63 - 1)
	for _, slot := range t.watched {
		if c := &t.table.slots[slot]; c.read() {
			first = min(first, t.next(c))
		}
	}
	t.exact.due = max(first, t.exact.start.Add(t.exact.period()))
}

// sampleExact reads the connections that are due one by one.
func (t *TCP) sampleExact() error {
	if err := t.handleNotices(); err != nil {
		return err
	}
	now := t.exact.start
	t.due = t.due[:0]
	for _, slot := range t.watched {
		if c := &t.table.slots[slot]; c.read() && t.next(c).Sub(now) < t.cfg.MinPeriod/2 {
			t.due = append(t.due, slot)
		}
	}
	for batch := range slices.Chunk(t.due, sockdiag.MaxBatch) {
		if err := t.readExactly(batch, now); err != nil {
			return refused("tcp", err)
		}
	}
	t.counters.HotSamples++
	t.counters.ExactReads += uint64(len(t.due))
	return t.handleNotices()
}

// readExactly reads up to MaxBatch connections.
func (t *TCP) readExactly(slots []int32, now boottime.Time) error {
	t.queries = t.queries[:0]
	for _, slot := range slots {
		c := &t.table.slots[slot]
		t.queries = append(t.queries, sockdiag.Query{Local: c.local, Remote: c.remote, Interface: c.netif, Cookie: c.cookie})
	}
	at := span{from: t.clock.read()}
	replies, err := t.conn.Get(t.queries)
	if err != nil {
		return err
	}
	at.to = t.clock.read()
	var s sockdiag.Socket
	for {
		reply, ok := replies.Next(&s)
		if !ok {
			break
		}
		c := &t.table.slots[slots[reply.Index]]
		switch {
		case c.cookie != t.queries[reply.Index].Cookie:
		case reply.Found && s.Info.Length > 0:
			t.observe(&s, at)
		case c.followed:
			t.table.remove(c.cookie)
		default:
			t.miss(c, now)
		}
	}
	if replies.Err() != nil {
		t.counters.Gaps++
	}
	return nil
}

// measure notes what an exact reading costs, from the last pass of them if it was of many.
func (t *TCP) measure() {
	const many = 8
	if n := len(t.due); n >= many {
		t.get += (t.exact.last/time.Duration(n) - t.get) / 4
	}
}
