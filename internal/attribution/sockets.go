package attribution

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
)

// recheckAfter is how long an owner known by something the kernel reuses (an inode, a PID) is trusted without looking
// again, in nanoseconds. PIDs come round after 32768 forks or more, inodes after 2³² sockets and pipes.
const recheckAfter = int64(time.Second)

// maxSearches is how many full scans may be made for the sake of one socket.
const maxSearches = 3

// socketKey is the cookie of a socket, or its inode if the source has no cookies. Cookies are never used twice
// (net/core/sock_diag.c); inodes of sockets are unique on the host while the socket lives.
type socketKey struct {
	cookie, inode uint64
}

func keyOf(s send.Socket) socketKey {
	if s.Cookie != 0 {
		return socketKey{cookie: s.Cookie}
	}
	return socketKey{inode: s.Inode}
}

// socket is what is remembered of one.
type socket struct {
	// owner is nil if nobody was found.
	owner *entry
	// verified is when the owner was last seen to hold it, by Resolver.now.
	verified int64
	// looked is the number of full scans made when it was last looked for, searches how many of these looked for it,
	// complete how many of those could read every descriptor of the host.
	looked   uint32
	searches uint8
	complete uint8
	// kernel: held by no process, see unowned. orphaned: the owner has ended and no other holder was found. deferred: the
	// likely places have not been searched yet.
	kernel, orphaned, deferred bool
}

// sockets is a bounded memory of sockets.
type sockets struct {
	limit   int
	byKey   map[socketKey]socket
	evicted uint64
	most    int // see package shrink
}

// remember keeps what is known of a socket. When memory is full another makes room: of a few picked at random one whose
// owner has ended or was never found, else any. Looking for the owner of a forgotten socket again costs little, because
// its inode is indexed.
func (t *sockets) remember(key socketKey, s socket) {
	if key == (socketKey{}) {
		return
	}
	if t.byKey == nil {
		t.byKey = make(map[socketKey]socket)
	}
	if _, known := t.byKey[key]; !known && len(t.byKey) >= t.limit {
		t.evict()
	}
	t.byKey[key] = s
}

func (t *sockets) evict() {
	var victim socketKey
	tries := 8
	for key, s := range t.byKey {
		victim = key
		if tries--; tries == 0 || s.owner == nil || s.owner.exited {
			break
		}
	}
	delete(t.byKey, victim)
	t.evicted++
}

// expire forgets the sockets whose owner ended before the given instant: their end was not reported, or is not the sources' to
// report.
func (t *sockets) expire(before int64) {
	t.most = max(t.most, len(t.byKey))
	for key, s := range t.byKey {
		if s.owner != nil && s.owner.exited && s.owner.ended < before {
			delete(t.byKey, key)
		}
	}
	t.byKey = shrink.Map(t.byKey, &t.most)
}

func (t *sockets) forget(key socketKey) { delete(t.byKey, key) }
