package history

import (
	"container/list"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Flow is one process and one destination: a row of process_outbound_stats. Medians are over the newest 32 gaps and
// bursts of this process alone; zero where there are none.
type Flow struct {
	Process        process.ID
	Key            Key
	Destination    send.Destination
	Socket         send.Socket // the latest
	Totals         Totals
	IntervalMedian time.Duration
	IntervalMAD    time.Duration
	SizeMedian     uint64
	SizeMAD        uint64
}

type flowKey struct {
	id          process.ID
	destination send.Destination
	// unowned tells flows without a process apart, which all have the zero ID: their keys differ by user, or by host.
	unowned *program
}

// flowKey returns the key of the flow of a process that runs p; p is nil if no such program is known yet.
func (p *program) flowKey(id process.ID, d send.Destination) flowKey {
	if id == (process.ID{}) {
		return flowKey{destination: d, unowned: p}
	}
	return flowKey{id: id, destination: d}
}

// recent is how many gaps and sizes a flow keeps for its medians.
const recent = 32

type flow struct {
	key    flowKey
	pair   *pair
	socket send.Socket
	totals Totals
	last   boottime.Time // of the newest send
	began  boottime.Time // of the burst now open
	size   uint64        // of the burst now open
	gaps   []uint32      // milliseconds between starts, a small ring
	sizes  []uint32
	n      int           // bursts begun
	place  *list.Element // in the order of use
}

func (f *flow) add(sd *send.Send) {
	f.socket = sd.Socket
	f.totals.add(sd)
	cut := max(silence, min(sd.Within, maxSilence))
	if f.n > 0 && f.size == 0 {
		cut = max(cut, handshake)
	}
	if sd.Kind == send.Close && sd.Bytes == 0 {
		return
	}
	if f.n > 0 && sd.At.Sub(f.last) <= cut {
		f.size += sd.Bytes
		f.last = max(f.last, sd.At)
		return
	}
	if f.n > 0 {
		f.gaps = keep(f.gaps, f.n-1, uint64(sd.At.Sub(f.began)/time.Millisecond))
		f.sizes = keep(f.sizes, f.n-1, f.size)
	}
	f.n++
	f.began, f.last, f.size = sd.At, sd.At, sd.Bytes
}

// keep stores v as the i-th value ever, in a ring of the newest, growing by doubling so that a process of one beat costs
// nothing.
func keep(ring []uint32, i int, v uint64) []uint32 {
	v32 := uint32(min(v, 1<<32-1))
	if i < recent {
		return append(ring, v32)
	}
	ring[i%recent] = v32
	return ring
}

// view fills dst with f; scratch is reused between calls.
func (f *flow) view(dst *Flow, scratch *[]uint32) {
	*dst = Flow{Process: f.key.id, Key: f.pair.program.key, Destination: f.key.destination, Socket: f.socket, Totals: f.totals}
	gap, gapMAD := medianMAD(append((*scratch)[:0], f.gaps...))
	dst.IntervalMedian, dst.IntervalMAD = time.Duration(gap)*time.Millisecond, time.Duration(gapMAD)*time.Millisecond
	sizes := append((*scratch)[:0], f.sizes...)
	if f.n > 0 {
		sizes = append(sizes, uint32(min(f.size, 1<<32-1)))
	}
	size, sizeMAD := medianMAD(sizes)
	dst.SizeMedian, dst.SizeMAD = uint64(size), uint64(sizeMAD)
	*scratch = sizes
}

// medianMAD returns the lower median of v and the lower median of absolute deviations from it. It reorders v.
func medianMAD(v []uint32) (median, mad uint32) {
	if len(v) == 0 {
		return 0, 0
	}
	slices.Sort(v)
	median = v[(len(v)-1)/2]
	for i, x := range v {
		v[i] = max(x, median) - min(x, median)
	}
	slices.Sort(v)
	return median, v[(len(v)-1)/2]
}
