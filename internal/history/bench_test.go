package history

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// busyStore holds pairs programs × destinations with full rings, and a recorder that goes round them.
func busyStore(t testing.TB, pairs, bursts int) (s *Store, record func(i int)) {
	s = newStore(t, Config{MaxPairs: pairs, MaxFlows: pairs, MaxBursts: bursts, MaxBytes: 256 << 20})
	keys := make([]*Key, 100)
	for i := range keys {
		keys[i] = &Key{Program: process.Program{Path: fmt.Sprintf("/usr/lib/x86_64-linux-gnu/vendor/agent-%d", i),
			Script: "/opt/vendor/bin/agent.py", UID: 1000, Workload: "system.slice/vendor-agent.service"}}
	}
	sends := make([]send.Send, pairs)
	for i := range sends {
		sends[i] = *data(fmt.Sprintf("192.0.%d.%d:443", i/100/250, i/100%250+1), 0, 151)
	}
	record = func(i int) {
		sd := &sends[i%pairs]
		sd.At = at(time.Duration(i/pairs) * time.Minute)
		s.Record(keys[i%100], process.ID{PID: int32(i%pairs + 1)}, sd)
	}
	for i := range pairs * (bursts + 1) {
		record(i)
	}
	return s, record
}

func BenchmarkRecord(b *testing.B) {
	_, record := busyStore(b, 1000, 256)
	n := 1000 * 257
	b.ReportAllocs()
	for b.Loop() {
		record(n)
		n++
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	s, record := busyStore(t, 100, 64)
	var v View
	n := 100 * 65
	s.Drain(&v, func(*View) bool { return true })
	s.Drain(&v, func(*View) bool { return true })
	for range 100 {
		record(n)
		n++
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { record(n); n++ }))
}

func TestTenThousandPairsFitInMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, _ := busyStore(t, 10_000, 256)
	runtime.GC()
	runtime.ReadMemStats(&after)
	live := after.HeapAlloc - before.HeapAlloc
	require.Equal(t, 10_000, s.Stats().Pairs)
	require.Less(t, live, uint64(64<<20))
	t.Logf("10 000 pairs with full rings of 256: %.1f MiB live heap, resident:%s", float64(live)/(1<<20), resident(t))
	runtime.KeepAlive(s)
}

// resident is the VmRSS line of /proc/self/status, proc(5).
func resident(t testing.TB) string {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range bytes.Lines(status) {
		if v, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			return string(bytes.TrimRight(v, "\n"))
		}
	}
	return " unknown"
}
