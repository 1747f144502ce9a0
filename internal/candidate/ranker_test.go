package candidate

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// A refresh is held in the middle of its work; queries and sends go on all the same, and see the ranking from before.
func TestNobodyWaitsForARefresh(t *testing.T) {
	store, err := history.New(history.Config{})
	require.NoError(t, err)
	reached, resume, holding := make(chan struct{}), make(chan struct{}), false
	ranker, err := New(Config{Store: store, Class: func(d send.Destination) send.Class {
		if holding && d.Remote.Port() == 7 {
			reached <- struct{}{}
			<-resume
		}
		return send.Public
	}})
	require.NoError(t, err)
	beat := func(i int) {
		for port := range 20 {
			record(store, fmt.Sprintf("/p/%d", port), int32(port+1), fmt.Sprintf("198.51.100.7:%d", port+1), time.Duration(i)*time.Minute, 151)
		}
	}
	for i := range 10 {
		beat(i)
	}
	ranker.Refresh()
	for i := range 20 {
		beat(10 + i)
	}
	holding = true
	refreshed := make(chan struct{})
	go func() {
		defer close(refreshed)
		ranker.Refresh()
	}()
	within(t, reached, "the refresh does not come to the pair")
	served := make(chan struct{})
	go func() {
		defer close(served)
		for _, c := range ranker.Snapshot().Select(history.Filter{}) {
			if c.Result.Beats != 10 {
				t.Errorf("%s has %d beats in the middle of a refresh", c.Signature, c.Result.Beats)
			}
		}
		store.Flows(history.Filter{}, func(*history.Flow) {})
		beat(30)
	}()
	within(t, served, "a query or a send waits for the refresh")
	close(resume)
	within(t, refreshed, "the refresh does not end")
	for _, c := range ranker.Snapshot().Select(history.Filter{}) {
		require.GreaterOrEqual(t, c.Result.Beats, 30)
	}
}

func TestASeriesIsScoredWhenItHasGrownOrAgedEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ranker := newRanker(t, history.Config{})
		beats := func(from, to int) int {
			for i := from; i < to; i++ {
				record(store, "/opt/implant", 7, "198.51.100.7:443", time.Duration(i)*time.Minute, 151)
			}
			ranker.Refresh()
			return ranker.Snapshot().Select(history.Filter{})[0].Result.Beats
		}
		require.Equal(t, 100, beats(0, 100))
		require.Equal(t, 100, beats(100, 101), "one beat in a hundred changes nothing yet")
		require.Equal(t, 104, beats(101, 104))
		require.Equal(t, 104, beats(104, 105))
		time.Sleep(staleAt)
		require.Equal(t, 105, beats(105, 105), "nor is it forgotten")
	})
}

func within(t *testing.T, done <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(otherwise)
	}
}

func TestRankingGivesWayByHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := history.New(history.Config{})
		require.NoError(t, err)
		rules, err := inventory.Load(inventory.Files{})
		require.NoError(t, err)
		var refreshes atomic.Int32
		ranker, err := New(Config{Store: store, Grading: Grading{Inventory: func() *inventory.Set { // once a refresh
			refreshes.Add(1)
			return rules
		}}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- ranker.Run(ctx) }()
		time.Sleep(time.Second / 2) // between two ticks
		for i, want := range []int32{80, 40, 20, 10, 80} {
			ranker.Ease(i % 4)
			time.Sleep(8 * time.Second) // until the next is due
			before := refreshes.Load()
			time.Sleep(80 * time.Second)
			require.Equal(t, want, refreshes.Load()-before, "after %d halvings", i%4)
		}
		cancel()
		require.NoError(t, <-ended)
	})
}
