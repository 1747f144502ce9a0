package candidate

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// BenchmarkPairMemory is what a pair takes that is held with 64 bursts, ranked and graded: of 500 processes of 100 programs, all of
// which are known, or of which none could be examined.
func BenchmarkPairMemory(b *testing.B) {
	const pairs, bursts, programs, processes = 10_000, 64, 100, 500
	live := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for name, examined := range map[string]bool{"known": true, "unknown": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := live()
				store, err := history.New(history.Config{MaxPairs: pairs, MaxFlows: pairs, MaxBursts: bursts})
				require.NoError(b, err)
				for i := range bursts + 1 {
					for p := range pairs {
						program := process.Program{Path: fmt.Sprintf("/usr/lib/vendor/agent-%d", p%programs), UID: 1000, Workload: "system.slice/vendor-agent.service"}
						store.Record(&history.Key{Program: program}, process.ID{PID: int32(1 + p%processes), StartTicks: 1}, &send.Send{Kind: send.Data, Bytes: 151, Sends: 1,
							At:     boottime.Time(time.Duration(1+i)*time.Minute + time.Duration(p)*time.Millisecond),
							Socket: send.Socket{Cookie: uint64(p + 1), Protocol: send.TCP, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(p >> 8), byte(p)}), 443)}})
					}
				}
				held := live()
				ranker, err := New(Config{Store: store, Grading: Grading{
					Process: func(id process.ID) (process.Info, bool) {
						program := process.Program{Path: fmt.Sprintf("/usr/lib/vendor/agent-%d", int(id.PID-1)%programs), UID: 1000, Workload: "system.slice/vendor-agent.service"}
						return process.Info{ID: id, Program: program, ParentPath: "/usr/lib/systemd/systemd"}, examined
					},
					Facts: func(process.ID) (process.Facts, bool) {
						return process.Facts{Examined: true, PackageKnown: true, EnvironRead: true}, examined
					}}})
				require.NoError(b, err)
				ranker.Refresh()
				require.Len(b, ranker.Snapshot().Select(history.Filter{}), pairs)
				ranked := live()
				b.ReportMetric(float64(held-before)/pairs, "held-B/pair")
				b.ReportMetric(float64(ranked-held)/pairs, "ranked-B/pair")
				runtime.KeepAlive(store)
				runtime.KeepAlive(ranker)
			}
		})
	}
}
