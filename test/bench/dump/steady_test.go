package dump_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// tenthOfASecond is the distance of samples in steady sampling.
const tenthOfASecond = 100 * time.Millisecond

// share runs the TCP source for a while and returns the share of one core the process took, and what the source says.
func share(tb testing.TB, cfg source.TCPConfig, watch time.Duration) (float64, source.Stats) {
	tb.Helper()
	tcp, err := source.NewTCP(cfg)
	require.NoError(tb, err)
	ctx, cancel := context.WithTimeout(context.Background(), watch)
	defer cancel()
	before, start := cpuTime(tb), time.Now()
	require.NoError(tb, tcp.Run(ctx, func(send.Send) {}))
	return float64(cpuTime(tb)-before) / float64(time.Since(start)), tcp.Stats()
}

// steadyShare reads all sockets ten times a second, whatever it costs.
func steadyShare(tb testing.TB, watch time.Duration) float64 {
	tb.Helper()
	taken, stats := share(tb, source.TCPConfig{MinPeriod: tenthOfASecond, Budget: 1}, watch)
	// a busy machine may have left some out
	return taken * float64(watch/tenthOfASecond) / float64(stats.Samples)
}

// bareShare does nothing ten times a second but receive the same dump.
func bareShare(tb testing.TB, watch time.Duration) float64 {
	tb.Helper()
	floor := newBare(tb)
	before, start := cpuTime(tb), time.Now()
	tick := time.NewTicker(tenthOfASecond)
	defer tick.Stop()
	for range watch / tenthOfASecond {
		_, err := floor.read()
		require.NoError(tb, err)
		<-tick.C
	}
	return float64(cpuTime(tb)-before) / float64(time.Since(start))
}

func BenchmarkSteadySampling(b *testing.B) {
	openSockets(b, 1000)
	for b.Loop() {
		b.ReportMetric(100*steadyShare(b, 2*time.Second), "%core")
		b.ReportMetric(100*bareShare(b, 2*time.Second), "%core-bare")
		budgeted, _ := share(b, source.TCPConfig{}, 2*time.Second)
		b.ReportMetric(100*budgeted, "%core-default")
	}
}

func TestSteadySamplingCostsLittleMoreThanReceiving(t *testing.T) {
	openSockets(t, 1000)
	const attempts = 5 // a busy machine may need more than one
	for attempt := 1; ; attempt++ {
		ours, bare := steadyShare(t, 2*time.Second), bareShare(t, 2*time.Second)
		t.Logf("1000 sockets ten times a second: %.2f %% of one core, a bare receive %.2f %%", 100*ours, 100*bare)
		if ours <= 1.5*bare {
			return
		}
		require.Less(t, attempt, attempts, "want at most 1.5 × a bare receive")
	}
}

func TestSamplingKeepsToItsBudget(t *testing.T) {
	for _, n := range []int{1000, 10000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			openSockets(t, n)
			const budget, watch, attempts = 0.01, 4 * time.Second, 3
			for attempt := 1; ; attempt++ {
				taken, stats := share(t, source.TCPConfig{Budget: budget}, watch)
				t.Logf("%d sockets, budget %.1f %%: %.2f %% of one core, %d samples in %v", n, 100*budget, 100*taken,
					stats.Samples, watch)
				if taken <= 1.5*budget {
					return
				}
				require.Less(t, attempt, attempts, "want at most half more than the budget")
			}
		})
	}
}
