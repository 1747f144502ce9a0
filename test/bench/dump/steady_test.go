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

// steadyShare reads all sockets ten times a second by complete passes, whatever that costs.
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
	const watch = 2 * time.Second
	for _, active := range []int{0, 50, 500} {
		b.Run(fmt.Sprintf("%d of 1000 active", active), func(b *testing.B) {
			crowd{n: 1000, active: active, every: tenthOfASecond}.open(b)
			for b.Loop() {
				b.ReportMetric(100*bareShare(b, watch), "%core-bare")
				b.ReportMetric(100*steadyShare(b, watch), "%core-complete")
				asShipped, stats := share(b, shipped(), watch)
				b.ReportMetric(100*asShipped, "%core")
				b.ReportMetric(float64(stats.SamplePeriod.Milliseconds()), "ms-discovery")
			}
		})
	}
}

// shipped is how the sensor samples unless told otherwise.
func shipped() source.TCPConfig { return source.TCPConfig{MinPeriod: tenthOfASecond, Budget: 0.015} }

func TestCompletePassesCostLittleMoreThanReceiving(t *testing.T) {
	openSockets(t, 1000)
	const attempts = 5 // a busy machine may need more than one
	for attempt := 1; ; attempt++ {
		ours, bare := steadyShare(t, 2*time.Second), bareShare(t, 2*time.Second)
		t.Logf("1000 sockets ten times a second: %.2f %% of one core, a bare receive %.2f %%", 100*ours, 100*bare)
		if ours <= 1.4*bare {
			return
		}
		require.Less(t, attempt, attempts, "want at most 1.4 × a bare receive")
	}
}

// Of 1 000 sockets those in use are read ten times a second, one by one, and all of them as often as it takes to find new ones.
// A reader that knows only complete passes cannot go below what it costs to receive them.
func TestActiveSocketsAreReadWithoutTheOthers(t *testing.T) {
	const active, watch, discovery, attempts = 50, 3 * time.Second, 500 * time.Millisecond, 5
	crowd{n: 1000, active: active, every: tenthOfASecond}.open(t)
	for attempt := 1; ; attempt++ {
		bare := bareShare(t, watch)
		ours, stats := share(t, source.TCPConfig{MinPeriod: tenthOfASecond, Discovery: discovery, Budget: 1}, watch)
		readings := stats.HotSamples + stats.Samples
		t.Logf("%d of 1000 sockets read %d times in %v, new ones looked for %d times: %.2f %% of one core, receiving everything "+
			"as often %.2f %%", active, readings, watch, stats.Samples, 100*ours, 100*bare)
		// each is read in every pass that is not complete, and tells each time what it has sent since
		if stats.ExactReads >= stats.HotSamples*active && readings >= uint64(watch/tenthOfASecond)*8/10 &&
			stats.Samples <= uint64(watch/discovery)+1 && stats.Events >= 8*readings*active/10 && ours <= 0.8*bare {
			return
		}
		require.Less(t, attempt, attempts, "want all active ones in at least 8 of 10 readings at 0.8 × the price: %+v", stats)
	}
}

// Beside a source that tells of every connection opened since it began, those from before are read at least every second, by
// whatever costs less, and when none is left the sampler does nothing but look whether the other has missed one, once a minute.
func TestBesideAnotherSourceOnlyOldConnectionsAreRead(t *testing.T) {
	const watch, attempts = 3 * time.Second, 5
	openSockets(t, 1000)
	for attempt := 1; ; attempt++ {
		cfg, told := shipped(), false
		cfg.TakenOver, cfg.Told = true, func(uint64) bool { return told }
		bare := bareShare(t, watch)
		old, stats := share(t, cfg, watch)
		told = true
		none, idle := share(t, cfg, watch)
		t.Logf("all from before: %d complete passes, %d exact readings, %.2f %% of one core; none: %d, %d, %.2f %%; receiving everything "+
			"ten times a second %.2f %%", stats.Samples, stats.ExactReads, 100*old, idle.Samples, idle.ExactReads, 100*none, 100*bare)
		require.EqualValues(t, 1, idle.Samples)
		require.Zero(t, idle.ExactReads)
		if old <= 0.4*bare && none <= 0.2*bare {
			return
		}
		require.Less(t, attempt, attempts, "want at most 0.4 × and 0.2 × a bare receive ten times a second")
	}
}

func TestSamplingKeepsToItsBudget(t *testing.T) {
	for _, c := range []crowd{{n: 1000}, {n: 1000, active: 50, every: tenthOfASecond},
		{n: 1000, active: 500, every: tenthOfASecond}, {n: 10000}} {
		t.Run(fmt.Sprint(c.n, " ", c.active), func(t *testing.T) {
			c.open(t)
			const watch, attempts = 3 * time.Second, 5
			for attempt := 1; ; attempt++ {
				taken, stats := share(t, shipped(), watch)
				t.Logf("%d sockets, %d active: %.2f %% of one core, %d complete passes and %d of %.0f exact readings in %v", c.n,
					c.active, 100*taken, stats.Samples, stats.HotSamples, float64(stats.ExactReads)/float64(max(stats.HotSamples, 1)),
					watch)
				if taken <= shipped().Budget {
					return
				}
				require.Less(t, attempt, attempts, "want at most the budget, %.1f %%", 100*shipped().Budget)
			}
		})
	}
}
