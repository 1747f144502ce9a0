package attribution

import (
	"errors"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// resolve looks for the owner of a socket that memory does not answer for, and remembers what it found.
func (r *Resolver) resolve(s send.Socket, key socketKey) (process.ID, process.Program, answer) {
	if s.Inode == 0 {
		return process.ID{}, process.Program{}, nobody // closing: no process holds it any more
	}
	r.scanning.Lock()
	defer r.scanning.Unlock()
	// Another goroutine may have found it while this one waited.
	if id, program, a := r.recall(s, key); a != unknown {
		return id, program, a
	}
	r.mu.RLock()
	known, again := r.sockets.byKey[key]
	r.mu.RUnlock()
	q := quest{inode: s.Inode, uid: s.UID, again: again && known.owner == nil && !known.deferred,
		full: known.searches < maxSearches && r.now() >= r.nextScan.Load()}
	scans := r.scans.Load()
	if !again {
		known.looked = scans
	}
	h, did, found := r.scanner.find(q)
	if did.full {
		r.scans.Store(scans + 1)
		r.completed = did.complete
		r.nextScan.Store(r.now() + int64(max(r.config.FullScanEvery, time.Duration(float64(did.cost)/r.config.Share))))
	}
	if found {
		if e := r.admit(h); e != nil {
			known = socket{owner: e, verified: r.now(), looked: r.scans.Load()}
			return r.settle(key, known)
		}
	}
	return r.settle(key, r.unowned(s, known, did))
}

// unowned notes that nobody was found to hold the socket.
func (r *Resolver) unowned(s send.Socket, known socket, did outcome) socket {
	if known.owner == nil && !did.deferred && did.former.PID != 0 {
		known.owner, known.verified = r.former(did.former), r.now()
	}
	if known.owner != nil {
		known.orphaned = !did.deferred // either way its last known owner is the best answer
		return known
	}
	known.deferred = did.deferred
	if did.deferred {
		r.counters.deferred.Add(1)
	}
	if scans := r.scans.Load(); known.looked != scans {
		known.looked = scans
		known.searches = min(known.searches+1, maxSearches)
		if r.completed && s.UID == 0 {
			known.complete = min(known.complete+1, 2)
		}
		known.kernel = known.kernel || known.complete == 2 && r.scanner.open(s)
	}
	return known
}

// settle remembers the socket and answers for it.
func (r *Resolver) settle(key socketKey, s socket) (process.ID, process.Program, answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sockets.remember(key, s)
	switch {
	case s.owner != nil:
		return s.owner.id, s.owner.program, owned
	case s.kernel:
		return process.ID{}, process.Program{}, kernelOwned
	}
	return process.ID{}, process.Program{}, nobody
}

// admit describes a process found to hold a socket, by what was witnessed of it if it has gone since; nil if nothing was.
func (r *Resolver) admit(h holder) *entry {
	e, err := r.know(subject{id: h.process.id, tid: h.tid}, &r.scanner.buffer)
	if errors.Is(err, procfs.ErrGone) && r.witness.catchUp() {
		e, err = r.former(h.process.id), nil
	}
	if e == nil || err != nil {
		r.counters.vanished.Add(1)
		return nil
	}
	r.scanner.credit(h.process)
	return e
}
