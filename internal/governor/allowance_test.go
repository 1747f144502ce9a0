package governor

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// asker asks again as soon as it has an answer, each of which takes so much CPU time. It returns how long each had to wait.
func asker(a *Allowance, cost, during time.Duration) (waits []time.Duration) {
	for began := time.Now(); time.Since(began) < during; {
		asked := time.Now()
		a.Do(context.Background(), func() {
			waits = append(waits, time.Since(asked))
			time.Sleep(cost)
			a.charge(cost) // the bubble's clock is not that of a thread
		})
	}
	return waits
}

func newAllowance(t *testing.T) *Allowance {
	t.Helper()
	a, err := NewAllowance(0.01, 3*time.Second, time.Second)
	require.NoError(t, err)
	return a
}

// TestALoopOfQuestionsTakesItsShare: whoever asks without end takes 1 % of a core in the long run, as long as what an answer costs
// is earned in a second; beyond that, as much as an answer each second is.
func TestALoopOfQuestionsTakesItsShare(t *testing.T) {
	for _, cost := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 9 * time.Millisecond, 140 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			a := newAllowance(t)
			asker(a, cost, 20*time.Minute) // what was saved up is used
			const long = time.Hour
			waits := asker(a, cost, long)
			share := float64(len(waits)) * cost.Seconds() / long.Seconds()
			floor := cost.Seconds() / (1 + cost.Seconds())
			t.Logf("%v an answer: %.2f %% of a core", cost, 100*share)
			require.LessOrEqual(t, share, max(0.01, floor)*1.02)
			require.GreaterOrEqual(t, share, 0.01*0.95, "what there is may be used")
			require.LessOrEqual(t, slices.Max(waits), time.Second)
			require.Empty(t, a.turn)
		})
	}
}

// TestLookingAroundByHandIsNotHeldUp: twenty large answers in a row come at once, and again after a break.
func TestLookingAroundByHandIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAllowance(t)
		for range 3 {
			require.Zero(t, slices.Max(asker(a, 140*time.Millisecond, 20*140*time.Millisecond)))
			time.Sleep(5 * time.Minute)
		}
		require.Zero(t, a.Delays())
	})
}

// TestSmallQuestionsAfterALargeOneAreQuick: a join asks for a thousand rows one by one; the debt of what came before is paid once.
func TestSmallQuestionsAfterALargeOneAreQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAllowance(t)
		asker(a, 10*time.Second, time.Second)
		began := time.Now()
		for range 1000 {
			a.Do(t.Context(), func() { a.charge(20 * time.Microsecond) })
		}
		require.Less(t, time.Since(began), time.Second+1000*3*time.Millisecond)
		require.InDelta(t, time.Since(began), a.Delays().Total, float64(100*time.Millisecond))
	})
}

// TestInDebtOneIsAtWork: of several who ask at once one is answered after the other, and each within patience all the same.
func TestInDebtOneIsAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAllowance(t)
		asker(a, 10*time.Second, time.Second)
		time.Sleep(900 * time.Millisecond) // most of the debt is paid
		var all sync.WaitGroup
		var mu sync.Mutex
		atWork, most := 0, 0
		change := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			atWork += by
			most = max(most, atWork)
		}
		for range 4 {
			all.Go(func() {
				for range 20 {
					asked := time.Now()
					a.Do(t.Context(), func() {
						require.LessOrEqual(t, time.Since(asked), time.Second)
						change(+1)
						defer change(-1)
						time.Sleep(time.Millisecond)
						a.charge(time.Millisecond) // 100 ms to earn it: the fourth is done well within its second
					})
				}
			})
		}
		all.Wait()
		require.Equal(t, 1, most)
	})
}

// TestAHungAnswerHoldsNobodyUpForLong: the one at work does not end, and all the others are answered within patience.
func TestAHungAnswerHoldsNobodyUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAllowance(t)
		a.charge(time.Minute)
		release := make(chan struct{})
		go a.Do(context.Background(), func() { <-release })
		synctest.Wait()
		waits := asker(a, 20*time.Millisecond, 30*time.Second)
		require.LessOrEqual(t, slices.Max(waits), time.Second)
		require.Less(t, len(waits), 35)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began, done := time.Now(), false
		a.Do(ctx, func() { done = true })
		require.True(t, done)
		require.LessOrEqual(t, time.Since(began), 100*time.Millisecond, "who does not wait longer is answered sooner")
		close(release)
	})
}

func TestWorkIsMeteredAndMayPanic(t *testing.T) {
	a := newAllowance(t)
	a.charge(time.Hour)
	require.Panics(t, func() {
		a.Do(t.Context(), func() {
			spin(5 * time.Millisecond)
			panic("boom")
		})
	})
	require.Empty(t, a.turn, "the turn of who panics ends")
	a.Count(func() { spin(5 * time.Millisecond) })
	require.GreaterOrEqual(t, a.Spent(), 10*time.Millisecond)
	require.EqualValues(t, 1, a.Delays().Count)
}

// TestTheCollectorIsChargedToo: the budget of answers is that of the time they take with their part of the garbage collector's.
func TestTheCollectorIsChargedToo(t *testing.T) {
	a := newAllowance(t)
	p := newProcess(t, 0.02, 1)
	p.config.Aside = a
	before := a.balance()
	p.look(p.now.Add(time.Second), usage{process: 80 * time.Millisecond, aside: 50 * time.Millisecond, collector: 30 * time.Millisecond})
	require.Equal(t, 80*time.Millisecond, p.Stats().Aside)
	require.InDelta(t, before-30*time.Millisecond, a.balance(), float64(2*time.Millisecond))
	require.InDelta(t, 0.08/20, p.Stats().AsideShare, 1e-6)
}

func TestAnAllowanceThatCannotBeKeptIsRefused(t *testing.T) {
	for _, share := range []float64{0, -1, 1.1, math.NaN()} {
		_, err := NewAllowance(share, time.Second, time.Second)
		require.ErrorContains(t, err, "share")
	}
	_, err := NewAllowance(1, 0, time.Second)
	require.Error(t, err)
	_, err = NewAllowance(1, time.Second, 0)
	require.Error(t, err)
}
