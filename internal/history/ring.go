package history

import "time"

const (
	firstRing = 16
	// reorder is how many bursts back a late report may be filed: a destroy message or a recorded connection can describe
	// a send a little older than one already reported.
	reorder = 64
	// maxSilence bounds coarsening: beyond it, merging would swallow beacons of a few seconds.
	maxSilence = 5 * time.Second
)

// ring holds the newest bursts of one series, oldest first, growing on demand from 16 to its limit. When it is full it
// first tries to coarsen (merge bursts at twice the silence) and otherwise drops the oldest.
type ring struct {
	slots   []packed
	head, n int
	silence time.Duration // bursts closer than this are merged; grows only by coarsening
	retry   int           // pushes until coarsening is tried again
	dropped uint32
}

func (r *ring) index(i int) int {
	j := r.head + i
	if j >= len(r.slots) {
		j -= len(r.slots)
	}
	return j
}

func (r *ring) get(i int) packed { return r.slots[r.index(i)] }

// push files p by its start time and returns by how many bytes the ring grew. A burst older than reorder others is
// dropped and counted.
func (r *ring) push(p packed, limit int) (grown int) {
	if r.n == len(r.slots) {
		grown = r.makeRoom(limit)
	}
	i := r.n
	for i > 0 && r.get(i-1).at() > p.at() {
		i--
	}
	if r.n-i > reorder {
		r.dropped++
		return grown
	}
	for j := r.n; j > i; j-- {
		r.slots[r.index(j)] = r.get(j - 1)
	}
	r.slots[r.index(i)] = p
	r.n++
	return grown
}

func (r *ring) makeRoom(limit int) (grown int) {
	if len(r.slots) < limit {
		next := make([]packed, min(max(2*len(r.slots), firstRing), limit))
		for i := range r.n {
			next[i] = r.get(i)
		}
		grown = (len(next) - len(r.slots)) * 16
		r.slots, r.head = next, 0
		return grown
	}
	if r.retry--; r.retry <= 0 {
		r.retry = limit
		if r.coarsen() {
			return 0
		}
	}
	r.head = r.index(1)
	r.n--
	r.dropped++
	return 0
}

// coarsen merges bursts closer than twice the present silence, in place, if that frees between a quarter and three
// quarters of the ring. Less is not worth the lost detail; more would melt the rhythm itself (a chunked exfiltration
// every 200 ms becomes one burst).
func (r *ring) coarsen() bool {
	wider := 2 * r.silence
	if wider > maxSilence {
		return false
	}
	left := 1
	last := r.get(0).unpack().Last
	for i := 1; i < r.n; i++ {
		b := r.get(i).unpack()
		if b.At.Sub(last) > wider {
			left++
		}
		last = max(last, b.Last)
	}
	if freed := r.n - left; freed*4 < r.n || freed*4 > r.n*3 {
		return false
	}
	cur, out := r.get(0).unpack(), 0
	for i := 1; i < r.n; i++ {
		b := r.get(i).unpack()
		if b.At.Sub(cur.Last) <= wider {
			cur = cur.merge(b)
			continue
		}
		r.slots[r.index(out)] = pack(cur)
		out++
		cur = b
	}
	r.slots[r.index(out)] = pack(cur)
	r.n = out + 1
	r.silence = wider
	return true
}

// merge folds a later burst into b.
func (b Burst) merge(later Burst) Burst {
	b.Last = max(b.Last, later.Last)
	b.Bytes += later.Bytes
	b.Sends += later.Sends
	b.Failed = b.Failed && later.Failed
	b.Quality = max(b.Quality, later.Quality)
	return b
}

// appendTo appends the bursts to dst, oldest first.
func (r *ring) appendTo(dst []Burst) []Burst {
	for i := range r.n {
		dst = append(dst, r.get(i).unpack())
	}
	return dst
}
