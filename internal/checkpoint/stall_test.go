package checkpoint

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

// stalled is a disk that takes no more after some bytes, until it is released.
type stalled struct {
	left     int
	released chan struct{}
}

func (s *stalled) Write(b []byte) (int, error) {
	if s.left -= len(b); s.left < 0 {
		<-s.released
	}
	return len(b), nil
}

// TestAStalledDiskHoldsUpNobody: wherever the writing stands still, sends are recorded, ranking reads, and the status is told.
func TestAStalledDiskHoldsUpNobody(t *testing.T) {
	for _, after := range []int{0, 100, 2000, 5000} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, h := keeper(t, "one", 0)
				filled(store, 50)
				disk := &stalled{left: after, released: make(chan struct{})}
				saved := make(chan error)
				go func() { saved <- h.encode(disk) }()
				synctest.Wait() // until it stands still
				beat(store, "/opt/meanwhile", 5, "192.0.2.9:443", 3*time.Hour)
				var v history.View
				seen := 0
				store.Drain(&v, func(*history.View) bool { seen++; return true })
				require.Equal(t, 5, seen, "four pairs and a program with two")
				require.Zero(t, h.Saved())
				require.Less(t, disk.left, 0, "it did stall")
				close(disk.released)
				require.NoError(t, <-saved)
			})
		})
	}
}

// period is the default of sample_period.
const period = 100 * time.Millisecond

// TestSavingHoldsUpNoSampleForAPeriod records while a full store is saved: of ten tries the best, for a busy machine has pauses
// of its own.
func TestSavingHoldsUpNoSampleForAPeriod(t *testing.T) {
	store, err := history.New(history.Config{MaxBytes: 64 << 20})
	require.NoError(t, err)
	for i := range 257 {
		for p := range 10_000 {
			beat(store, fmt.Sprintf("/opt/agent-%d", p%100), int32(p%100+1), fmt.Sprintf("198.51.%d.%d:443", p/250, p%250),
				time.Hour+time.Duration(i)*time.Minute)
		}
	}
	h, err := NewHistories(HistoriesConfig{Store: store, Boot: "one", Offset: func() time.Duration { return 0 }})
	require.NoError(t, err)
	best := time.Hour
	for try := 0; try < 10 && best > period/10; try++ {
		saved := make(chan error)
		go func() { saved <- h.encode(io.Discard) }()
		longest, records := time.Duration(0), 0
		for done := false; !done; records++ {
			began := time.Now()
			beat(store, "/opt/agent-1", 2, "198.51.0.1:443", 6*time.Hour+time.Duration(records)*time.Second)
			longest = max(longest, time.Since(began))
			select {
			case err := <-saved:
				require.NoError(t, err)
				done = true
			default:
			}
		}
		require.Greater(t, records, 100, "they were recorded while it saved")
		best = min(best, longest)
	}
	t.Logf("10 000 pairs with 256 bursts each: no send waited longer than %s while they were saved", best)
	require.Less(t, best, period)
}
