package replay_test

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/beaconwatch/beaconwatch/internal/replay"
	"github.com/stretchr/testify/require"
)

func prefixes(texts ...string) []netip.Prefix {
	var p []netip.Prefix
	for _, text := range texts {
		p = append(p, netip.MustParsePrefix(text))
	}
	return p
}

// Ten times the rows, each of another host, must not take more memory: what a reader holds is bounded.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	most := func(rows int) (heap uint64) {
		records := 0
		stats := read(t, []string{"-"}, replay.Config{Stdin: &stream{n: rows}, Reorder: 20_000}, func(*replay.Record) {
			if records++; records%100_000 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				heap = max(heap, m.HeapAlloc)
			}
		})
		require.Equal(t, uint64(rows), stats.Rows)
		return heap
	}
	short, long := most(100_000), most(1_000_000)
	require.Less(t, long, short+8<<20, "heap of 100 000 rows: %d, of 1 000 000: %d", short, long)
	t.Logf("live heap: %.1f MiB for 100 000 rows, %.1f MiB for 1 000 000", float64(short)/(1<<20), float64(long)/(1<<20))
}
