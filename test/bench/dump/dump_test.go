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

// The kernel's share of a reading is the same for all: here the walk alone takes about 1 µs a socket, so that vishvananda/netlink
// takes 2.3 to 2.7 times as long as ours, and could not take 3 times as long as a bare receive.
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
		ours := float64(cost[0])
		overBare, vishvananda, gopsutil := ours/float64(cost[1]), float64(cost[2])/ours, float64(cost[3])/ours
		t.Logf("10000 sockets, CPU time: ours %v = %.2f × a bare receive; vishvananda/netlink %.1f × and gopsutil %.0f × ours",
			cost[0], overBare, vishvananda, gopsutil)
		if overBare <= 1.3 && vishvananda >= 2 && gopsutil >= 30 {
			return
		}
		if attempt == attempts {
			t.Fatal("want at most 1.3 × bare, at least 2 × and 30 × cheaper than the others")
		}
	}
}
