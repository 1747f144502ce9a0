package replay

import "github.com/beaconwatch/beaconwatch/internal/boottime"

// reorder gives rows back oldest first. Zeek writes a connection when it ends, with the time at which it began, so a log
// is in order of ends. A heap of at most size rows brings rows back into the order of starts as long as fewer than size
// others were written during a connection; a longer one comes out late. Equal times keep the order of the file.
type reorder struct {
	size  int
	heap  []place
	rows  []*[chunk]row // slot i is rows[i/chunk][i%chunk]: growing moves no row
	slots int32         // how many were ever used
	free  []int32       // slots without a row
	count uint64
}

const chunk = 512

func (o *reorder) row(slot int32) *row { return &o.rows[slot/chunk][slot%chunk] }

// place is one row in the heap: small, so that sifting moves little.
type place struct {
	at    boottime.Time
	count uint64
	slot  int32
}

func (p place) before(q place) bool { return p.at < q.at || p.at == q.at && p.count < q.count }

func (o *reorder) full() bool { return len(o.heap) >= o.size }

func (o *reorder) empty() bool { return len(o.heap) == 0 }

// push copies r in.
func (o *reorder) push(r *row) {
	slot := o.slots
	if n := len(o.free); n > 0 {
		slot, o.free = o.free[n-1], o.free[:n-1]
	} else {
		if slot%chunk == 0 {
			o.rows = append(o.rows, new([chunk]row))
		}
		o.slots++
	}
	*o.row(slot) = *r
	o.count++
	o.heap = append(o.heap, place{r.send.At, o.count, slot})
	for i := len(o.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !o.heap[i].before(o.heap[parent]) {
			break
		}
		o.heap[i], o.heap[parent] = o.heap[parent], o.heap[i]
		i = parent
	}
}

// pop moves the oldest row to r. There must be one.
func (o *reorder) pop(r *row) {
	slot := o.heap[0].slot
	*r = *o.row(slot)
	o.free = append(o.free, slot)
	last := len(o.heap) - 1
	o.heap[0] = o.heap[last]
	o.heap = o.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if o.heap[child].before(o.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		o.heap[i], o.heap[least] = o.heap[least], o.heap[i]
		i = least
	}
}
