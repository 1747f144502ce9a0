package source

import (
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// maxFollowed bounds the connections that wait to be followed; what finds no room is told of at its end.
const maxFollowed = 4096

// follow holds connections that are to be followed.
type follow struct {
	mu   sync.Mutex
	news []send.Send // their Opens, guarded by mu

	taken []send.Send // scratch
}

func (f *follow) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.news) > 0
}

// take returns what came since the last call; it is valid until the next.
func (f *follow) take() []send.Send {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken, f.news = f.news, f.taken[:0]
	return f.taken
}

// Follow has the source read a connection that another source saw opened from here, told by its Open, without having found
// it. It reports what is sent on it while it can be read; its end is the other source's to tell, as is all of a connection that is
// bound to an interface. It is safe for concurrent use with Run.
func (t *TCP) Follow(open send.Send) {
	t.following.mu.Lock()
	defer t.following.mu.Unlock()
	switch len(t.following.news) {
	case maxFollowed:
		return
	case 0:
		t.events.Interrupt()
	}
	t.following.news = append(t.following.news, open)
}

// adoptFollowed begins to track what is to be followed.
func (t *TCP) adoptFollowed() {
	all := t.following.take()
	if len(all) == 0 {
		return
	}
	for i := range all {
		open := &all[i]
		if t.table.get(open.Socket.Cookie) != nil {
			continue
		}
		c := t.table.add(open.Socket.Cookie)
		if c == nil {
			t.counters.Untracked++
			continue
		}
		known := open.At.Add(-open.Within)
		*c = connection{cookie: open.Socket.Cookie, local: open.Socket.Local, remote: open.Socket.Remote, uid: open.Socket.UID,
			direction: outbound, announced: true, followed: true, known: known, active: known}
		t.watched = append(t.watched, t.table.index[c.cookie])
	}
	t.schedule()
}

// overtake begins to follow a connection that another source told of before there was anybody here to follow it, as where a container
// talks in its first second; nil for others. What it sent so far is told at once.
func (t *TCP) overtake(s *sockdiag.Socket, at span) *connection {
	if !t.cfg.OpensOnly || t.complete() || opener(s) == inbound {
		return nil
	}
	c := t.table.add(s.Cookie)
	if c == nil {
		t.counters.Untracked++
		return nil
	}
	sent, _ := t.clock.ago(at, s.Info.SinceSent)
	c.begin(s, sent.Add(-time.Second)) // as long as it takes to find a namespace
	c.direction, c.announced, c.followed, c.active = outbound, true, true, at.to.now
	return c
}

// told reports whether another source tells of a connection.
func (t *TCP) told(cookie uint64) bool { return t.cfg.Told != nil && t.cfg.Told(cookie) }

// doubt notes a connection that is there although another source was to tell of it; nil, for it may be about to.
func (t *TCP) doubt(s *sockdiag.Socket) *connection {
	if t.cfg.Told == nil || opener(s) == inbound {
		return nil
	}
	if c := t.table.add(s.Cookie); c != nil {
		c.begin(s, t.since)
		c.doubtful, c.pass = true, t.pass
	}
	return nil
}

// unclaimed reports whether no other source tells of a connection after all: then it is ours.
func (t *TCP) unclaimed(c *connection) bool {
	if t.told(c.cookie) {
		t.table.remove(c.cookie)
		return false
	}
	c.doubtful, c.announced, c.active = false, true, t.full.start
	t.counters.TakenOver++
	return true
}
