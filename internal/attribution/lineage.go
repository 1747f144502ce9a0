package attribution

import (
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// lineage is a bounded memory of kin: the living, and for a while the ended. It is guarded by Resolver.mu.
type lineage struct {
	limit, textLimit int
	// byPID has the latest life of each PID, ended those that have ended, longest ago first.
	byPID map[int32]*kin
	ended []*kin
	// count is how many kin there are, text the bytes of text their images keep alive.
	count, text int
	evicted     uint64
	// latest are those that began last, the newest before next.
	latest [16]*kin
	next   int
	// doubt is since when events were lost, 0 if none were since the last look at everybody.
	doubt int64
}

// living returns the process that has the PID; nil if none is known.
func (l *lineage) living(pid int32) *kin {
	if k := l.byPID[pid]; k != nil && k.ended == 0 {
		return k
	}
	return nil
}

// at returns the process that had the PID at that time, the latest for time 0; nil if none is known.
func (l *lineage) at(pid int32, at int64) *kin {
	k := l.byPID[pid]
	for k != nil && at != 0 && k.born > at {
		k = k.former
	}
	return k
}

// certain reports whether k is known to have run its image at its end, or now.
func (l *lineage) certain(k *kin) bool {
	return k.image != nil && (l.doubt == 0 || k.ended != 0 && k.ended < l.doubt)
}

// begin notes a new life of a PID, and makes room for it.
func (l *lineage) begin(id process.ID, born int64) *kin {
	if l.byPID == nil {
		l.byPID = make(map[int32]*kin)
	}
	former := l.byPID[id.PID]
	if former != nil && former.ended == 0 {
		l.end(former, born) // its exit was not reported
	}
	k := &kin{id: id, born: born, former: former}
	l.byPID[id.PID] = k
	l.count++
	l.latest[l.next] = k
	l.next = (l.next + 1) % len(l.latest)
	l.fit(k)
	return k
}

// newest returns the PID of who began last; 0 if nobody is known.
func (l *lineage) newest() int32 {
	if k := l.latest[(l.next+len(l.latest)-1)%len(l.latest)]; k != nil {
		return k.id.PID
	}
	return 0
}

// youngest appends the living that began after a time, the newest first, but for those that were seen in another network
// namespace since they were born: they may have entered that of the socket before they executed a program.
func (l *lineage) youngest(dst []process.ID, after int64, netns uint64) []process.ID {
	for i := range l.latest {
		k := l.latest[(l.next+len(l.latest)-1-i)%len(l.latest)]
		if k == nil || k.born < after {
			break
		}
		if k.ended == 0 && (k.image == nil || k.read <= k.born || k.image.info.NetNS == 0 || k.image.info.NetNS == netns) {
			dst = append(dst, k.id)
		}
	}
	return dst
}

// fork notes that parent has made a child, which it returns.
func (l *lineage) fork(pid, parent int32, at int64) *kin {
	k := l.begin(process.ID{PID: pid, StartTicks: uint64(at / tick)}, at)
	k.parent.id.PID = parent
	p := l.living(parent)
	if p != nil {
		l.adopt(k, p)
		l.show(k, p.image, at)
		k.unreadable = p.unreadable
	}
	return k
}

// identify returns the life that stat shows, a new one if it was not known. With an empty stat it is the one that has the
// PID, if any.
func (l *lineage) identify(pid int32, stat *procfs.PIDStat) *kin {
	if stat.StartTicks == 0 {
		return l.living(pid)
	}
	id := process.ID{PID: pid, StartTicks: stat.StartTicks}
	if k := l.byPID[pid]; k != nil && k.is(stat.StartTicks) {
		k.id, k.exact = id, true
		if k.ended != 0 && (stat.State != 'Z' || stat.Threads > 1) {
			k.ended = 0 // it was the end of the first thread only
		}
		return k
	}
	k := l.begin(id, int64(stat.StartTicks)*tick)
	k.exact = true
	k.parent.id.PID = stat.Parent
	if p := l.living(stat.Parent); p != nil {
		l.adopt(k, p)
	}
	return k
}

// adopt makes p the parent of k.
func (l *lineage) adopt(k, p *kin) {
	l.set(&k.grandparent.image, p.parent.image)
	l.set(&k.parent.image, p.image)
	k.parent.id, k.grandparent.id = p.id, p.parent.id
}

// show notes the image k runs as of the time read; nil if it is not known.
func (l *lineage) show(k *kin, i *image, read int64) {
	l.set(&k.image, i)
	k.read, k.unreadable = read, false
	l.fit(k)
}

// end notes that k has exited.
func (l *lineage) end(k *kin, at int64) {
	if k.ended != 0 {
		return
	}
	k.ended = max(at, 1)
	if !k.queued {
		k.queued = true
		l.ended = append(l.ended, k)
	}
}

// expire forgets what ended before the given instant.
func (l *lineage) expire(before int64) {
	for len(l.ended) > 0 {
		k := l.ended[0]
		if k.ended >= before {
			return
		}
		l.unqueue()
		if k.ended != 0 {
			l.drop(k)
		}
	}
}

// unqueue takes the first off ended.
func (l *lineage) unqueue() {
	l.ended[0].queued = false
	l.ended[0] = nil
	l.ended = l.ended[1:]
}

// fit forgets others than keep until the limits hold: those that ended first, then the living that are known for longest
// among a few picked at random, because what lives can be read again.
func (l *lineage) fit(keep *kin) {
	for l.count > l.limit || l.text > l.textLimit {
		victim := l.victim(keep)
		if victim == nil {
			return
		}
		l.drop(victim)
		l.evicted++
	}
}

func (l *lineage) victim(keep *kin) (victim *kin) {
	for len(l.ended) > 0 {
		k := l.ended[0]
		l.unqueue()
		if k.ended != 0 && k != keep {
			return k
		}
	}
	tries := 16
	for _, k := range l.byPID {
		if k != keep && k.ended == 0 && (victim == nil || k.born < victim.born) {
			victim = k
		}
		if tries--; tries == 0 && victim != nil {
			break
		}
	}
	return victim
}

// drop forgets k, which is not in ended.
func (l *lineage) drop(k *kin) {
	l.set(&k.image, nil)
	l.set(&k.parent.image, nil)
	l.set(&k.grandparent.image, nil)
	l.count--
	at := l.byPID[k.id.PID]
	if at == k {
		if k.former == nil {
			delete(l.byPID, k.id.PID)
		} else {
			l.byPID[k.id.PID] = k.former
		}
		return
	}
	for ; at != nil; at = at.former {
		if at.former == k {
			at.former = k.former
			return
		}
	}
}

// set makes *at point to an image and keeps account of its text.
func (l *lineage) set(at **image, to *image) {
	if to != nil {
		if to.holders == 0 {
			l.text += textOf(to.info)
		}
		to.holders++
	}
	if old := *at; old != nil {
		old.holders--
		if old.holders == 0 {
			l.text -= textOf(old.info)
		}
	}
	*at = to
}
