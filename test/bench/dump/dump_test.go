package dump_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func BenchmarkDump(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			openSockets(b, n)
			for _, r := range readers(b) {
				b.Run(r.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						seen, err := r.read()
						require.NoError(b, err)
						require.GreaterOrEqual(b, seen, n)
					}
				})
			}
		})
	}
}

// cpuTime is what the process has used of all cores, garbage collection included.
func cpuTime(tb testing.TB) time.Duration {
	var usage unix.Rusage
	require.NoError(tb, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// costs runs rounds in which every reader reads a few times in a row and returns for each the median CPU time of one
// reading, with the garbage collection it leaves to others.
func costs(t *testing.T, all []reader, rounds, inARow int) []time.Duration {
	t.Helper()
	times := make([][]time.Duration, len(all))
	for range rounds {
		for i, r := range all {
			runtime.GC()
			start := cpuTime(t)
			for range inARow {
				_, err := r.read()
				require.NoError(t, err)
			}
			times[i] = append(times[i], (cpuTime(t)-start)/time.Duration(inARow))
		}
	}
	var found []time.Duration
	for _, one := range times {
		slices.Sort(one)
		found = append(found, one[len(one)/2])
	}
	return found
}

// Each reader is asked for all TCP sockets of both families, with a tcp_info. vishvananda/netlink takes one family at a time and
// all states, so that is two walks, of which one finds nothing here but has to pass 10 000 sockets; gopsutil has no tcp_info.
//
// What the kernel does is the same for every reader, and about 1 µs a socket here: the last figure of the log is what a reader
// that does nothing but receive would gain over vishvananda/netlink, and no other could gain more.
func TestDumpCostsHardlyMoreThanReceivingIt(t *testing.T) {
	openSockets(t, 10000)
	all := readers(t)
	require.Zero(t, testing.AllocsPerRun(5, func() {
		if _, err := all[0].read(); err != nil {
			t.Fatal(err)
		}
	}))
	const attempts = 5 // a busy machine may need more than one
	for attempt := 1; ; attempt++ {
		cost := costs(t, all[:3], 5, 5)
		cost = append(cost, costs(t, all[3:], 1, 2)...)
		ours, bare := float64(cost[0]), float64(cost[1])
		overBare, vishvananda, gopsutil := ours/bare, float64(cost[2])/ours, float64(cost[3])/ours
		t.Logf("10000 sockets, CPU time: ours %v = %.2f × a bare receive; vishvananda/netlink %.1f × and gopsutil %.0f × ours, "+
			"vishvananda/netlink %.1f × a bare receive", cost[0], overBare, vishvananda, gopsutil, float64(cost[2])/bare)
		if overBare <= 1.15 && vishvananda >= 2.1 && gopsutil >= 30 {
			return
		}
		if attempt == attempts {
			t.Fatal("want at most 1.15 × bare, at least 2.1 × and 30 × cheaper than the others")
		}
	}
}
