package attribution

import (
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Owner returns the process that owns the socket. sender is the PID of the sending process if the source knows it, else 0.
// A socket held by the kernel itself has the zero ID and a Program whose Path is process.Kernel. ok is false, and the send
// counted as unattributed, if nobody was found; the Program then has the UID of the socket only.
//
// For a socket seen before Owner takes one look into memory and allocates nothing. For a new one it reads /proc on the
// caller's goroutine: the processes not yet scanned, newest first, then those of the socket's user, those first which
// opened a socket or started most recently, then, if that was not done lately, all. Every scan notes all sockets it
// passes, so many new sockets cost one pass.
func (r *Resolver) Owner(s send.Socket, sender int32) (id process.ID, program process.Program, ok bool) {
	return r.owner(s, sender, 0, false)
}

// OwnerOf is Owner for a send whose time is known, and what it was: nobody is looked for who holds a socket that is over. A sender that has ended since, even if its PID is in use again, is then
// named by what was witnessed of its life; see Run.
func (r *Resolver) OwnerOf(s *send.Send) (id process.ID, program process.Program, ok bool) {
	return r.owner(s.Socket, s.Sender, int64(s.At), s.Kind == send.Close || s.Kind == send.Failed)
}

func (r *Resolver) owner(s send.Socket, sender int32, at int64, over bool) (id process.ID, program process.Program, ok bool) {
	key := keyOf(s)
	if sender > 0 {
		if id, program, ok = r.ownerBySender(sender, at, key); ok {
			return id, program, true
		}
	}
	id, program, a := r.recall(s, key)
	if a == unknown {
		r.counters.misses.Add(1)
		if over {
			s.Inode = 0
		}
		id, program, a = r.resolve(s, key)
	} else {
		r.counters.hits.Add(1)
	}
	switch a {
	case owned:
		return id, program, true
	case kernelOwned:
		r.counters.kernel.Add(1)
		return process.ID{}, process.Program{Path: process.Kernel}, true
	}
	r.counters.unattributed.Add(1)
	return process.ID{}, process.Program{UID: s.UID}, false
}

// Forget drops what is remembered of a socket that has closed. Sockets without a cookie are known by their inode.
func (r *Resolver) Forget(s send.Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sockets.forget(keyOf(s))
}

// answer is what memory says about a socket.
type answer uint8

const (
	unknown answer = iota // look for the owner
	owned
	kernelOwned
	nobody // looked for, not found, and not yet time to look again
)

// recall answers from memory.
func (r *Resolver) recall(s send.Socket, key socketKey) (process.ID, process.Program, answer) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	known, ok := r.sockets.byKey[key]
	switch {
	case !ok:
		return process.ID{}, process.Program{}, unknown
	case known.owner != nil:
		if known.owner.exited && s.Inode != 0 && !known.orphaned {
			return process.ID{}, process.Program{}, unknown // it lives on in another process: inherited, or passed on
		}
		if key.cookie == 0 && r.now()-known.verified > recheckAfter {
			return process.ID{}, process.Program{}, unknown // the kernel may have given the inode to another socket
		}
		return known.owner.id, known.owner.program, owned
	case s.Inode != 0 && known.looked != r.scans.Load():
		return process.ID{}, process.Program{}, unknown // there was a full scan since
	case known.kernel:
		return process.ID{}, process.Program{}, kernelOwned
	case s.Inode != 0 && known.searches < maxSearches && r.now() >= r.nextScan.Load():
		return process.ID{}, process.Program{}, unknown
	}
	return process.ID{}, process.Program{}, nobody
}
