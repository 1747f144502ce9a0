package pulse

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitsEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ended := map[time.Duration]int{} // waits, by when they ended
		var waiting sync.WaitGroup
		for range 20 {
			waiting.Go(func() {
				time.Sleep(rand.N(3 * time.Second)) // begun at any time
				for range 10 {
					require.True(t, Wait(t.Context(), time.Second))
					mu.Lock()
					ended[time.Since(origin)]++
					mu.Unlock()
					time.Sleep(rand.N(100 * time.Millisecond))
				}
			})
		}
		waiting.Wait()
		require.LessOrEqual(t, len(ended), 14, "10 of their own, and 3 seconds between the first and the last of them")
		for at := range ended {
			require.Zero(t, at%beat)
		}
	})
}

func TestAfterIsWhatWasAskedFor(t *testing.T) {
	for range 10_000 {
		now, d := rand.N(time.Hour), 1+rand.N(5*time.Minute)
		if rand.IntN(2) == 0 {
			d = 1 + rand.N(2*time.Second)
		}
		got := after(now, d)
		require.GreaterOrEqual(t, got, d/2, "%v after %v", d, now)
		require.LessOrEqual(t, (got - d).Abs(), min(d, beat)/2+1, "%v after %v", d, now)
	}
	for _, d := range []time.Duration{time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, time.Minute} {
		require.Equal(t, d, after(3*time.Minute, d), "from beat to beat")
		require.Equal(t, d-time.Microsecond, after(3*time.Minute+time.Microsecond, d), "the time that was taken is made up for")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.False(t, Wait(ctx, time.Hour))
}
