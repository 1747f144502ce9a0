package governor

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// spin uses so much CPU time of its thread, which must be locked.
func spin(d time.Duration) {
	for end := clock(unix.CLOCK_THREAD_CPUTIME_ID) + d; clock(unix.CLOCK_THREAD_CPUTIME_ID) < end; {
	}
}

func TestMeterCountsItsWorkOnly(t *testing.T) {
	var m, other Meter
	before := Process()
	m.Do(func() {
		spin(20 * time.Millisecond)
		done := make(chan struct{})
		go func() {
			defer close(done)
			other.Do(func() { spin(40 * time.Millisecond) })
		}()
		<-done
	})
	require.GreaterOrEqual(t, m.Spent(), 20*time.Millisecond)
	require.Less(t, m.Spent(), other.Spent())
	require.GreaterOrEqual(t, Process()-before, m.Spent()+other.Spent())
}

func TestMeterCountsWorkThatPanics(t *testing.T) {
	var m Meter
	require.Panics(t, func() {
		m.Do(func() {
			spin(5 * time.Millisecond)
			panic("boom")
		})
	})
	require.GreaterOrEqual(t, m.Spent(), 5*time.Millisecond)
}

// TestRunHoldsARealProcess: this one burns two fifths of a core, gives way when told, and is then held to a tenth. What a
// Meter counts does not matter.
func TestRunHoldsARealProcess(t *testing.T) {
	const budget, attempts = 0.1, 5
	aside, err := NewAllowance(1, time.Hour, time.Second)
	require.NoError(t, err)
	var halvings atomic.Int32
	g, err := New(Config{Budget: budget, Aside: aside, Every: 50 * time.Millisecond, Window: 500 * time.Millisecond,
		Parts: []Part{{Name: "burner", Depth: 6, Ease: func(n int) { halvings.Store(int32(n)) }}}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	burn := func(d time.Duration) (share float64) {
		began, before := time.Now(), Process()-aside.Spent()
		for time.Since(began) < d {
			aside.Count(func() { spin(2 * time.Millisecond) })
			var burner Meter
			burner.Do(func() { spin(time.Duration(math.Ldexp(4e6, -int(halvings.Load())))) })
			time.Sleep(4 * time.Millisecond)
		}
		return float64(Process()-aside.Spent()-before) / float64(time.Since(began))
	}
	burn(time.Second)
	require.Equal(t, []string{"burner"}, g.Stats().GivesWay)
	for attempt := 1; ; attempt++ {
		share := burn(2 * time.Second)
		t.Logf("%.3f of a core", share)
		if share < budget*1.15 {
			break
		}
		require.Less(t, attempt, attempts)
	}
	require.Eventually(t, func() bool { return len(g.Stats().GivesWay) == 0 }, 20*time.Second, 50*time.Millisecond)
}
