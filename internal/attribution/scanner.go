package attribution

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// Bounds of one reading: maxListed processes of the host are considered, maxThreads threads of each.
const (
	maxListed  = 1 << 17
	maxThreads = 1 << 12
)

// candidate is a process that may hold sockets: what a scanner remembers of each process of the host.
type candidate struct {
	id     process.ID
	parent int32
	// uid is the effective user when last scanned.
	uid uint32
	// kernel marks kernel threads, refused those whose descriptors may not be read, partial those of which some may not.
	kernel, refused, partial, gone bool
	// scanned is when its last scan began, in nanoseconds since boot; 0 = never. descriptors is what it had then.
	scanned     int64
	descriptors int
	// generation counts its scans: what an older scan put into the index is stale.
	generation uint32
	// became is the least generation of scans of this process: the candidate may have been another with the same PID.
	became uint32
	// talked is when it was last found to have a new socket, in nanoseconds since boot, listed the number of the last list
	// it was in.
	talked int64
	listed uint64
}

// scanner walks the descriptors of processes and indexes every socket it passes. One goroutine at a time.
type scanner struct {
	fs       procfs.FS
	buffer   procfs.Buffer
	counters *counters
	budget   budget
	// ownPIDs: the numbers in fs are those kcmp(2) takes. wholeHost: fs shows every process of the host. hidden: but not to
	// this user.
	ownPIDs, wholeHost, hidden bool
	// netns is the network namespace of this process.
	netns uint64
	// truncated: the last list was cut at maxListed.
	truncated bool

	processes map[int32]*candidate
	index     index
	lists     uint64

	// Scratch memory, reused.
	pids    []int32
	tids    []int32
	sockets []procfs.Descriptor
	order   []*candidate
}

func newScanner(root procfs.FS, indexLimit int, b budget, c *counters) scanner {
	var own unix.Stat_t
	_ = unix.Stat("/proc/self/ns/net", &own) // without /proc nobody is found at all
	return scanner{fs: root, counters: c, budget: b, ownPIDs: root.OwnPIDs(), netns: own.Ino,
		wholeHost: root.WholeHost(), hidden: root.Hidden(), processes: make(map[int32]*candidate),
		index: index{limit: indexLimit, holders: make(map[uint64]holder)}}
}

// list brings the set of candidates up to date with the processes there are. New ones are looked at for their start and
// parent, known ones not at all: a PID that has come round is found out when it is scanned.
func (s *scanner) list() error {
	var err error
	var whole bool
	if s.pids, whole, err = s.fs.AppendPIDs(s.pids[:0], maxListed, &s.buffer); err != nil {
		return err
	}
	s.truncated = !whole
	s.lists++
	for _, pid := range s.pids {
		c := s.processes[pid]
		if c == nil {
			if c = s.meet(pid); c == nil {
				continue
			}
		}
		c.listed = s.lists
	}
	if len(s.processes) > len(s.pids) || s.truncated {
		for pid, c := range s.processes {
			if c.listed != s.lists {
				c.gone = true
				delete(s.processes, pid)
			}
		}
	}
	return nil
}

// meet makes a candidate of a PID; nil if it is gone already.
func (s *scanner) meet(pid int32) *candidate {
	p, err := s.fs.OpenPID(pid)
	if err != nil {
		return s.excuse(pid, err)
	}
	defer p.Close()
	var stat procfs.PIDStat
	if err := p.Stat(&s.buffer, &stat); err != nil {
		return s.excuse(pid, err)
	}
	c := &candidate{}
	c.become(pid, &stat)
	s.processes[pid] = c
	return c
}

// become makes c the process that stat describes.
func (c *candidate) become(pid int32, stat *procfs.PIDStat) {
	*c = candidate{id: process.ID{PID: pid, StartTicks: stat.StartTicks}, parent: stat.Parent, kernel: stat.KernelThread(),
		generation: c.generation + 1, became: c.generation + 1, listed: c.listed}
}

// excuse counts a process that could not be looked at: gone, or hidden from this user (hidepid=1).
func (s *scanner) excuse(pid int32, err error) *candidate {
	if !errors.Is(err, fs.ErrPermission) {
		s.counters.vanished.Add(1)
		return nil
	}
	c := &candidate{id: process.ID{PID: pid}, refused: true, scanned: 1}
	s.processes[pid] = c
	return c
}

// scan indexes the sockets c holds. Afterwards nothing an earlier scan of c noted counts any more.
func (s *scanner) scan(c *candidate) {
	began, cost := sinceBoot(), threadTime()
	defer func() { s.budget.spend(threadTime() - cost) }()
	p, err := s.fs.OpenPID(c.id.PID)
	if err == nil {
		defer p.Close()
		err = s.read(c, p, began)
	}
	c.refused = errors.Is(err, fs.ErrPermission)
	if err != nil && !c.refused {
		s.lose(c)
	}
}

// read does the work of scan on an open process.
func (s *scanner) read(c *candidate, p procfs.PID, began int64) error {
	c.generation++
	c.scanned, c.descriptors, c.partial = began, 0, false
	var refused error
	if !c.kernel { // first, for it is what a process that ends is soonest without
		refused = s.walk(c, p, 0)
	}
	var stat procfs.PIDStat
	if err := p.Stat(&s.buffer, &stat); err != nil {
		return err
	}
	if stat.StartTicks != c.id.StartTicks {
		if c.id.StartTicks != 0 {
			s.counters.reused.Add(1)
		}
		c.become(c.id.PID, &stat)
		return s.read(c, p, began)
	}
	c.parent = stat.Parent
	if c.kernel {
		return nil
	}
	s.counters.scans.Add(1)
	uid, err := p.Effective(&s.buffer)
	if err != nil {
		return err
	}
	c.uid, err = uid, refused
	if stat.Threads <= 1 || err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// An exited first thread refuses its table to its own user, while the others show theirs.
	c.partial = c.partial || err != nil
	return s.walkThreads(c, p)
}

// walk indexes the sockets of one descriptor table of c: that of the process, or of the thread tid.
func (s *scanner) walk(c *candidate, p procfs.PID, tid int32) error {
	var did procfs.Scan
	var err error
	s.sockets, err = p.AppendSockets(s.sockets[:0], &did, &s.buffer)
	s.counters.descriptors.Add(uint64(did.Read))
	c.descriptors += did.Read
	c.partial = c.partial || did.Refused > 0
	for _, d := range s.sockets {
		if !s.index.add(d.Inode, holder{process: c, generation: c.generation, fd: d.FD, tid: tid}) {
			s.counters.unindexed.Add(1)
		}
	}
	return err
}

// walkThreads indexes the sockets of threads that do not share the table of the first: because they have unshared it
// (unshare(2), CLONE_FILES), or because the first has exited and left the process to the others. Both are ways to hide a
// socket from who reads /proc/PID/fd only.
func (s *scanner) walkThreads(c *candidate, p procfs.PID) error {
	if !s.ownPIDs {
		c.partial = true
		return nil
	}
	var err error
	var whole bool
	if s.tids, whole, err = p.AppendThreads(s.tids[:0], maxThreads, &s.buffer); err != nil {
		return err
	}
	c.partial = c.partial || !whole
	known := c.id.PID
	for _, tid := range s.tids {
		if tid == c.id.PID {
			continue
		}
		same, err := procfs.SameFiles(known, tid)
		if same || errors.Is(err, procfs.ErrGone) {
			continue
		}
		if err != nil {
			c.partial = true
			return nil
		}
		if t, err := p.Thread(tid); err == nil {
			err = s.walk(c, t, tid)
			t.Close()
			if err == nil {
				known = tid
			} else if errors.Is(err, fs.ErrPermission) {
				c.partial = true
			}
		}
	}
	return nil
}

// lose forgets a candidate that has ended.
func (s *scanner) lose(c *candidate) {
	s.counters.vanished.Add(1)
	c.gone = true
	if s.processes[c.id.PID] == c {
		delete(s.processes, c.id.PID)
	}
}

// unreadable counts the candidates that do not show all their descriptors.
func (s *scanner) unreadable() int {
	n := 0
	for _, c := range s.processes {
		if c.refused || c.partial {
			n++
		}
	}
	return n
}
