package ceiling

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hoard is somebody who takes what there is, in pieces of 1 MiB.
type hoard struct {
	pieces [][]byte
	told   []int
}

func (h *hoard) take() {
	piece := make([]byte, 1<<20)
	for i := range piece {
		piece[i] = 1 // resident
	}
	h.pieces = append(h.pieces, piece)
}

func (h *hoard) fit(room int) (gave, full bool) {
	h.told = append(h.told, room)
	if over := (-room + 1<<20 - 1) >> 20; room < 0 {
		clear(h.pieces[:min(over, len(h.pieces))])
		h.pieces = h.pieces[min(over, len(h.pieces)):]
		gave = true
	}
	return gave, false
}

func TestWhoTakesTheMostGivesWay(t *testing.T) {
	defer debug.SetMemoryLimit(math.MaxInt64)
	runtime.GC()
	const more = 96 << 20
	limit := int64(Resident()) + more
	h := &hoard{}
	k, err := New(Config{Limit: limit, Fit: h.fit})
	require.NoError(t, err)
	roomAtFirst := 0
	for i := range 400 {
		h.take()
		runtime.GC()
		k.look()
		if len(h.told) == 1 {
			roomAtFirst = h.told[0]
		}
		require.Less(t, len(h.pieces), more>>20, "after %d pieces", i+1)
	}
	require.Positive(t, roomAtFirst)
	require.Negative(t, h.told[len(h.told)-1])
	require.Greater(t, len(h.pieces), 8, "no more than necessary")
}

// TestWhoIsWaitedForNeedsNoCollectionOfItsOwn: with little going on hardly anything is collected, and room is judged all the same: at once
// where something was given up, less often where nothing can be or where more would be taken, and not at all where nobody asks.
func TestWhoIsWaitedForNeedsNoCollectionOfItsOwn(t *testing.T) {
	defer debug.SetMemoryLimit(math.MaxInt64)
	const little, much = 8 << 20, 1 << 40
	for name, c := range map[string]struct {
		limit      int64
		gave, full bool
		waits      int // for a collection
		from, to   int // looks until it is told again; 0 for never
	}{
		"gave up":             {little, true, false, patience, 1, cycles * (patience + 1)}, // its limit may bring some about
		"has nothing to give": {little, false, false, forbearance, 1, cycles * (forbearance + 1)},
		"would take more":     {much, false, true, forbearance, cycles * forbearance, cycles * (forbearance + 1)},
		"has enough":          {much, false, false, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			told := 0
			k, err := New(Config{Limit: c.limit, Fit: func(room int) (bool, bool) {
				require.Equal(t, c.limit == much, room > 0)
				told++
				return c.gave, c.full
			}})
			require.NoError(t, err)
			for range cycles {
				runtime.GC()
				k.look()
			}
			require.Equal(t, 1, told)
			require.Equal(t, c.waits, k.waits)
			debug.SetGCPercent(-1) // none but those that are asked for
			defer debug.SetGCPercent(100)
			looks := 0
			for ; told == 1 && looks < 3*cycles*forbearance; looks++ {
				k.look()
				if c.limit == little {
					debug.SetMemoryLimit(math.MaxInt64)
				}
			}
			if c.to == 0 {
				require.Equal(t, 1, told)
				return
			}
			require.GreaterOrEqual(t, looks, c.from)
			require.LessOrEqual(t, looks, c.to)
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	k, err := New(Config{Limit: 1 << 40, Fit: func(int) (bool, bool) { return false, false }, Every: time.Millisecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	require.Eventually(t, func() bool { return debug.SetMemoryLimit(-1) < 1<<40 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1))
}

// The pages of the executable come back when they are used: what runs after that is this test.
func TestGivingBackTheExecutableCostsPagesNotLives(t *testing.T) {
	_, before := memory()
	require.Positive(t, before)
	giveBack()
	_, after := memory()
	require.Less(t, after, before)
}

func TestNewNeedsALimit(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "required")
}

// What is left of many small things is memory that larger ones cannot have. Whoever takes the most gives way to that too, or the
// collector would run all the time for the little that it may hand out.
func TestTheCollectorHasRoomBesideFragments(t *testing.T) {
	defer debug.SetMemoryLimit(math.MaxInt64)
	runtime.GC()
	h := &hoard{}
	k, err := New(Config{Limit: int64(Resident()) + detector*128<<20, Fit: h.fit})
	require.NoError(t, err)
	debug.SetMemoryLimit(math.MaxInt64)
	small := make([]*[1024]byte, 48<<10)
	for i := range small {
		small[i] = &[1024]byte{1}
	}
	for i := range small {
		if i%8 != 0 { // as many as a page of them has
			small[i] = nil
		}
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/goal:bytes"}}
	var room []float64 // what may be allocated until the next collection, of what lives
	for range 300 {
		h.take()
		runtime.GC()
		k.look()
		metrics.Read(sample)
		room = append(room, float64(sample[1].Value.Uint64())/float64(sample[0].Value.Uint64())-1)
	}
	latest := room[len(room)/2:]
	slices.Sort(latest)
	t.Logf("collected again after %.0f %% more than lives (from %.0f to %.0f %%)", 100*latest[len(latest)/2], 100*latest[0], 100*latest[len(latest)-1])
	require.Greater(t, latest[len(latest)/2], 0.05)
	require.Greater(t, len(h.pieces), 4)
	runtime.KeepAlive(small)
}
