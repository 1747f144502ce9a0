package source

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// TestMillionsOfSockets are read pass after pass, every other one opened from outside. As many are tracked as every sensor may, what
// is left out is counted, and the memory taken is what the configuration says of it. When they have gone there is room again.
func TestMillionsOfSockets(t *testing.T) {
	sockets := uint64(2_000_000)
	if racing {
		sockets /= 10
	}
	var cfg TCPConfig
	require.NoError(t, cfg.setDefaults())
	limit := cfg.MaxSockets
	before := liveHeap()
	r := newReader(limit)
	opens := 0
	r.emit = func(s send.Send) {
		if s.Kind == send.Open {
			opens++
		}
	}
	one := socket(1, 500, 1)
	pass := func(from, to uint64) {
		r.now = r.now.Add(time.Second)
		r.full.start = r.now
		r.pass++
		for cookie := from; cookie < to; cookie++ {
			one.Cookie = cookie
			one.Info.BytesAcked = one.Info.BytesSent + cookie%2 // the SYN of its own
			r.observe(&one, r.span())
		}
		r.sweep()
		r.since = r.now
	}
	for n := range 2 {
		pass(1, 1+sockets)
		require.Len(t, r.table.index, limit)
		require.Len(t, r.table.slots, limit)
		require.GreaterOrEqual(t, opens, limit/2, "those from outside take half of the room at most")
		require.GreaterOrEqual(t, r.counters.Untracked, uint64(n+1)*(sockets/2-uint64(limit)))
	}
	grown := (liveHeap() - before) >> 20
	t.Logf("%d tracked, %d readings left out, %d MiB on the heap", len(r.table.index), r.counters.Untracked, grown)
	require.LessOrEqual(t, grown, uint64(16))

	for range 3 {
		pass(0, 0)
	}
	require.Empty(t, r.table.index)
	untracked := r.counters.Untracked
	opens = 0
	pass(1<<40, 1<<40+1000)
	require.Equal(t, 500, opens)
	require.Len(t, r.table.slots, limit)
	require.Equal(t, untracked, r.counters.Untracked)
	runtime.KeepAlive(r)
}

// liveHeap is what is in use of it, in bytes.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
