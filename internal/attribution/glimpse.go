package attribution

import (
	"cmp"
	"runtime"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// maxYoungest and maxLively are on how many processes a glimpse falls: of those that began since events were read and of those that
// began within the last young nanoseconds, and of those of the socket's user that made a socket lately.
const (
	maxYoungest = 4
	maxLively   = 2
	young       = int64(10 * time.Second)
)

// Glimpse looks for the owner of a socket that was just made, where it is most likely, so that Owner can tell even if nobody holds
// the socket any more when it is asked. It reads little, and comes to no conclusion if that is not enough. Without process events,
// which tell who is young, it is Owner.
func (r *Resolver) Glimpse(s send.Socket) {
	if s.Inode == 0 {
		return
	}
	if active, _ := r.witness.state(); !active {
		r.Owner(s, 0)
		return
	}
	key := keyOf(s)
	r.scanning.Lock()
	defer r.scanning.Unlock()
	if _, _, a := r.recall(s, key); a != unknown { // a sample may have shown it meanwhile
		return
	}
	var room [len(r.lineage.latest)]process.ID
	r.mu.RLock()
	youngest := r.lineage.youngest(room[:0], sinceBoot()-young, cmp.Or(s.NetNS, r.scanner.netns))
	newest := r.lineage.newest()
	r.mu.RUnlock()
	h, found := r.scanner.glimpse(&s, youngest[:min(len(youngest), maxYoungest)], newest)
	if !found {
		return
	}
	if e := r.admit(h); e != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sockets.remember(key, socket{owner: e, verified: r.now(), looked: r.scans.Load()})
	}
}

// unwitnessed appends the processes that began after the newest that is known, the newest first: on a busy host, or in a moment like
// this, events are read too late. Some of the numbers may be threads', and their start is not known.
func (s *scanner) unwitnessed(dst []process.ID, newest int32) []process.ID {
	last, _ := s.fs.LastPID(&s.buffer)
	least := last - maxYoungest // also where numbers have come round since
	if newest <= last {
		least = max(least, newest)
	}
	for pid := last; pid > max(least, 0); pid-- {
		dst = append(dst, process.ID{PID: pid})
	}
	return dst
}

// glimpse looks at processes that are young, then at those younger than the newest that was witnessed, and then at the liveliest of
// the socket's user.
func (s *scanner) glimpse(sock *send.Socket, youngest []process.ID, newest int32) (h holder, found bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	q := quest{inode: sock.Inode, uid: sock.UID, began: sinceBoot()}
	s.budget.refill(q.began)
	if !s.budget.ample() {
		return h, false
	}
	s.index.want(q.inode)
	if h, found = s.first(youngest, q); !found {
		var room [maxYoungest]process.ID
		h, found = s.first(s.unwitnessed(room[:0], newest), q)
	}
	s.budget.spend(threadTime() - began)
	if !found {
		lively, _ := s.ofUser(q)
		h, found = s.among(q, lively[:min(len(lively), maxLively)], s.budget.ample)
	}
	if found {
		h = s.opener(h, q, false)
	}
	return h, found
}

// first returns the first of some processes that is found to hold a socket.
func (s *scanner) first(of []process.ID, q quest) (h holder, found bool) {
	for _, id := range of {
		if h, found = s.peek(id, q); found {
			break
		}
	}
	return h, found
}

// peek looks whether a process holds a socket: at its descriptors first, for it may be about to end. Unless it does hold it, the
// process is not taken for scanned, for its user is not known. Without a start, it may be a thread of one that is large.
func (s *scanner) peek(id process.ID, q quest) (h holder, found bool) {
	var did procfs.Scan
	fd, found, err := s.fs.FindSocket(id.PID, q.inode, id.StartTicks != 0, &did, &s.buffer)
	s.counters.descriptors.Add(uint64(did.Read))
	if err != nil || !found || id.StartTicks == 0 && !s.leads(id.PID) {
		return h, false
	}
	c := s.processes[id.PID]
	if c == nil || c.id.StartTicks != id.StartTicks {
		if c = s.meet(id.PID); c == nil { // it has gone meanwhile
			c = &candidate{id: id, gone: true}
		}
	}
	c.uid, c.scanned, c.descriptors = q.uid, q.began, did.Read
	c.generation++
	h = holder{process: c, generation: c.generation, fd: fd}
	s.index.add(q.inode, h)
	return h, true
}

// leads reports whether the number is that of a process, and not of a further thread.
func (s *scanner) leads(pid int32) bool {
	p, err := s.fs.OpenPID(pid)
	if err != nil {
		return false
	}
	defer p.Close()
	group, err := p.Group(&s.buffer)
	return err == nil && group == pid
}
