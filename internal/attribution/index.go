package attribution

import (
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
)

// holder is a process seen to hold a socket.
type holder struct {
	process *candidate
	// generation is the scan of the process that saw it.
	generation uint32
	// fd is the descriptor; tid the thread in whose table it is, 0 for that of the process.
	fd, tid int32
}

// current reports whether the last scan of the process saw the socket.
func (h holder) current() bool { return !h.process.gone && h.generation == h.process.generation }

// index knows for each socket inode passed by a scan the preferred holder. It is bounded; entries that a later scan did
// not confirm are ignored and swept out when room is needed.
type index struct {
	limit   int
	holders map[uint64]holder
	// wanted is the socket looked for, which is noted even if another must go. full: sweeping has not made room for it.
	wanted uint64
	full   bool
	most   int // see package shrink
}

// want begins a search for the socket.
func (x *index) want(inode uint64) { x.wanted, x.full = inode, false }

// add notes a holder of the socket unless a preferred one is known. false if there was no room.
func (x *index) add(inode uint64, h holder) bool {
	old, known := x.holders[inode]
	if known && old.current() && (old.process == h.process || before(old.process, h.process)) {
		return true
	}
	if !known && len(x.holders) >= x.limit {
		if !x.full {
			x.sweep()
			x.full = len(x.holders) >= x.limit
		}
		switch {
		case x.full && inode != x.wanted:
			return false
		case x.full:
			for other := range x.holders {
				delete(x.holders, other)
				break
			}
		}
	}
	x.holders[inode] = h
	return true
}

// former is the process that was seen to hold the socket, unless the candidate has become another one since.
func (h holder) former() process.ID {
	if h.process == nil || h.generation < h.process.became {
		return process.ID{}
	}
	return h.process.id
}

// find returns the noted holder of the socket. With ok false it is one that a later scan did not confirm.
func (x *index) find(inode uint64) (holder, bool) {
	h, ok := x.holders[inode]
	return h, ok && h.current()
}

// doubt notes that the holder of a socket does not hold it any more.
func (x *index) doubt(inode uint64) {
	if h, ok := x.holders[inode]; ok && h.current() {
		h.generation--
		x.holders[inode] = h
	}
}

// sweep forgets what is stale.
func (x *index) sweep() {
	x.most = max(x.most, len(x.holders))
	for inode, h := range x.holders {
		if !h.current() {
			delete(x.holders, inode)
		}
	}
	x.holders = shrink.Map(x.holders, &x.most)
}

// before reports whether a is preferred to b as the owner of a socket both hold: the older one, by start and then by PID,
// but init last, which opens sockets only to hand them to services.
func before(a, b *candidate) bool {
	switch {
	case (a.id.PID == 1) != (b.id.PID == 1):
		return b.id.PID == 1
	case a.id.StartTicks != b.id.StartTicks:
		return a.id.StartTicks < b.id.StartTicks
	}
	return a.id.PID < b.id.PID
}
