package attribution

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// maxClimb bounds the search for an older holder among the ancestors of one, maxInherited the descriptors an ancestor may
// have had for it to be scanned again; of one with more only the descriptor of the same number is looked at.
const (
	maxClimb     = 8
	maxInherited = 64
)

// recently is how long a process is thought likely to open a further socket, in nanoseconds.
const recently = int64(time.Minute)

// quest is a search for the holder of one socket.
type quest struct {
	inode uint64
	uid   uint32
	// again: the likely places were searched before. full: a scan of all processes may be made if nothing else finds the holder.
	again, full bool
	// began is when the search began: scans since then need not be repeated.
	began int64
}

// outcome is what a search did.
type outcome struct {
	deferred bool // put off for lack of budget
	full     bool // all processes were scanned, complete: and showed all their descriptors
	complete bool
	cost     time.Duration // of the full scan
	former   process.ID    // the process last seen to hold the socket
}

// find looks for the holder of a socket where it is most likely first. It is charged the CPU time of its thread: on a busy host
// more time than that passes.
func (s *scanner) find(q quest) (h holder, o outcome, found bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	q.began = sinceBoot()
	s.budget.refill(q.began)
	s.index.want(q.inode)
	if h, found = s.indexed(q.inode); found {
		return s.opener(h, q, true), o, true
	}
	o.former = h.former()
	full := q.full && s.budget.ample()
	if o.deferred = !s.budget.some(); o.deferred || q.again && !full {
		return h, o, false
	}
	if err := s.list(); err != nil {
		return h, o, false
	}
	s.budget.spend(threadTime() - began)
	if h, found = s.likely(q); found {
		return s.opener(h, q, true), o, true
	}
	if o.deferred = !s.budget.some(); o.deferred || !full {
		return h, o, false
	}
	began = threadTime()
	o.full, o.complete = true, s.scanAll(q)
	o.cost = threadTime() - began
	h, found = s.index.find(q.inode)
	return h, o, found
}

// likely looks in the likely places.
func (s *scanner) likely(q quest) (holder, bool) {
	if h, found := s.among(q, s.unscanned(), s.budget.some); found {
		return h, true
	}
	lively, quiet := s.ofUser(q)
	if h, found := s.among(q, lively, s.budget.some); found {
		return h, true
	}
	return s.among(q, quiet, s.budget.ample)
}

// indexed returns the holder an earlier scan noted. found is false if it does not hold the socket any more.
func (s *scanner) indexed(inode uint64) (h holder, found bool) {
	h, found = s.index.find(inode)
	if !found {
		return h, false
	}
	s.counters.verified.Add(1)
	if !s.holds(h, inode) {
		s.index.doubt(inode)
		return h, false
	}
	return h, true
}

// holds looks whether the process is the one that was scanned and its descriptor still that socket.
func (s *scanner) holds(h holder, inode uint64) bool {
	p, err := s.fs.OpenPID(h.process.id.PID)
	if err != nil {
		return false
	}
	defer p.Close()
	var stat procfs.PIDStat
	if err := p.Stat(&s.buffer, &stat); err != nil || stat.StartTicks != h.process.id.StartTicks {
		return false
	}
	if h.tid != 0 {
		t, err := p.Thread(h.tid)
		if err != nil {
			return false
		}
		defer t.Close()
		p = t
	}
	got, ok := p.Socket(h.fd, &s.buffer)
	return ok && got == inode
}

// among scans processes in order until one holds the socket or the budget forbids.
func (s *scanner) among(q quest, processes []*candidate, budget func() bool) (holder, bool) {
	for _, c := range processes {
		if !budget() {
			break
		}
		s.scan(c)
		if h, ok := s.index.find(q.inode); ok {
			return h, true
		}
	}
	return holder{}, false
}

// unscanned returns the processes never scanned, newest first.
func (s *scanner) unscanned() []*candidate {
	s.order = s.order[:0]
	for _, c := range s.processes {
		if c.scanned == 0 {
			s.order = append(s.order, c)
		}
	}
	slices.SortFunc(s.order, newestFirst)
	return s.order
}

// ofUser returns the processes of the socket's user that were not scanned for it yet, the most recently lively first, and
// apart those that have not been lively for a while.
func (s *scanner) ofUser(q quest) (lively, quiet []*candidate) {
	s.order = s.order[:0]
	for _, c := range s.processes {
		if c.uid == q.uid && c.scanned < q.began && !c.kernel && !c.refused {
			s.order = append(s.order, c)
		}
	}
	slices.SortFunc(s.order, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.lively(), a.lively()), newestFirst(a, b))
	})
	n, _ := slices.BinarySearchFunc(s.order, q.began-recently, func(c *candidate, since int64) int {
		return cmp.Compare(since, c.lively())
	})
	return s.order[:n], s.order[n:]
}

// lively is when the process last opened a socket or, if that is later, started; in nanoseconds since boot.
func (c *candidate) lively() int64 { return max(c.talked, startedBy(c)) }

func newestFirst(a, b *candidate) int {
	return cmp.Or(cmp.Compare(b.id.StartTicks, a.id.StartTicks), cmp.Compare(b.id.PID, a.id.PID))
}

// opener follows inherited descriptors back: as long as the parent of a holder has not been looked at since the holder
// started, it may hold the socket as well and is older. Descriptors are handed down under the same number; deep says whether to
// look at the others too.
func (s *scanner) opener(h holder, q quest, deep bool) holder {
	for range maxClimb {
		parent := s.processes[h.process.parent]
		if parent == nil || parent.id.PID == 1 || parent.kernel || parent.refused || !before(parent, h.process) ||
			parent.scanned > startedBy(h.process) {
			break
		}
		older := holder{process: parent, generation: parent.generation, fd: h.fd}
		switch {
		case h.tid == 0 && s.holds(older, q.inode):
			s.index.add(q.inode, older)
		case !deep || parent.descriptors > maxInherited:
			return h
		default:
			s.scan(parent)
			var ok bool
			if older, ok = s.index.find(q.inode); !ok || older.process == h.process {
				return h
			}
		}
		h = older
	}
	return h
}

// startedBy is the latest instant at which the process can have started, in nanoseconds since boot.
func startedBy(c *candidate) int64 {
	return int64(c.id.StartTicks+1) * (int64(time.Second) / procfs.ClockTicks)
}

// scanAll scans every process that was not scanned for this quest yet. complete: every descriptor of the host was seen.
func (s *scanner) scanAll(q quest) (complete bool) {
	s.counters.fullScans.Add(1)
	s.hidden = s.fs.Hidden()
	s.order = s.order[:0]
	for _, c := range s.processes {
		if c.scanned < q.began {
			s.order = append(s.order, c)
		}
	}
	slices.SortFunc(s.order, newestFirst)
	for _, c := range s.order {
		s.scan(c)
	}
	return s.wholeHost && !s.hidden && !s.truncated && s.unreadable() == 0 && !s.index.full
}

// credit notes that c has opened a socket, so that it is asked early about the next.
func (s *scanner) credit(c *candidate) { c.talked = sinceBoot() }
