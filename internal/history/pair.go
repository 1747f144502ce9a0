package history

import (
	"container/list"
	"math/bits"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Key is what a history belongs to: a program and, in replay, the host that sent (empty on a live host).
type Key struct {
	Program process.Program
	Host    string
}

type pairKey struct {
	program     *program
	destination send.Destination
}

// program is a Key with its pairs. Its own series, over all destinations, exists from the second destination on; before
// that it would only repeat the first.
type program struct {
	key       Key
	id        uint64
	pairs     int
	only      *pair // while there is but one
	all       series
	totals    Totals
	hasAll    bool
	dirtyAt   int // 1 + place in Store.dirtyAll, 0 if clean
	latest    process.ID
	ever      int // destinations ever that join
	processes int
}

// pair is a program and a destination.
type pair struct {
	key       pairKey
	id        uint64
	program   *program
	series    series
	totals    Totals
	latest    process.ID
	socket    send.Socket // the latest
	processes int         // ever seen
	joins     bool        // part of its program's series
	dirtyAt   int         // 1 + place in Store.dirty, 0 if clean
	evidence  float32     // as ranking last judged it
	bucket    int8
	place     *list.Element // within the bucket, in the order of use
	flows     []*flow
}

const (
	// buckets by evidence: 0 to 9 by the logarithm of bursts held; ranked is for pairs that ranking found suspicious.
	ranked  = 10
	buckets = 11
	// protect is the evidence (nats) from which a pair belongs to the last bucket.
	protect = 5
)

// bucketOf is the pair's place in the order of eviction, least evidence first.
func (p *pair) bucketOf() int8 {
	if p.evidence >= protect {
		return ranked
	}
	return int8(min(bits.Len(uint(max(p.series.len()-1, 0))), ranked-1))
}
