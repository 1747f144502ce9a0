package governor

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Allowance holds work that somebody waits for to a share of one core of its own. What is not taken is saved up; once that is
// used, pieces of work are done one after the other, each after a pause in which what the one before took is earned. Nobody is
// refused and nobody waits longer than Patience, so pieces that take more than is earned in it exceed the share: done without
// end, one of c CPU time each takes c in Patience + c of time.
type Allowance struct {
	share           float64
	saved, patience time.Duration
	meter           Meter
	turn            chan struct{} // held by whoever is next, or at work, while there is little or no credit

	mu      sync.Mutex    // guards what follows
	credit  time.Duration // of CPU time; a debt if negative, which patience pays
	settled time.Duration // CPU time that is in credit already
	charged time.Duration // CPU time beside what the meter counts
	at      time.Time     // of credit
	delays  Delays
}

// noticed is from when a wait counts as one.
const noticed = time.Millisecond

// Delays are how many pieces of work had to wait so far, and for how long altogether.
type Delays struct {
	Count uint64
	Total time.Duration
}

// NewAllowance returns one of a share of a core in (0, 1], with as much CPU time as can be saved up, and by which nobody waits
// longer than patience.
func NewAllowance(share float64, saved, patience time.Duration) (*Allowance, error) {
	if !(share > 0 && share <= 1) || saved <= 0 || patience <= 0 {
		return nil, errors.New("governor: an allowance needs a share in (0, 1], CPU time to be saved up, and patience")
	}
	return &Allowance{share: share, saved: saved, patience: patience, turn: make(chan struct{}, 1), credit: saved, at: time.Now()}, nil
}

// Do does work, on one thread, when it may be done. It waits no longer than ctx either, and does work all the same.
func (a *Allowance) Do(ctx context.Context, work func()) {
	if a.balance() < a.worth(a.patience) {
		defer a.await(ctx)()
	}
	a.Count(work)
}

// Count does work, on one thread, at once: it is part of what is waited for elsewhere.
func (a *Allowance) Count(work func()) {
	defer a.Begin()()
	work()
}

// Begin is Count for what this goroutine does from now on, until it calls end.
func (a *Allowance) Begin() (end func()) {
	counted := a.meter.begin()
	return func() {
		counted()
		a.charge(0)
	}
}

// Spent is the CPU time of all work that has ended.
func (a *Allowance) Spent() time.Duration { return a.meter.Spent() }

// Delays are those so far.
func (a *Allowance) Delays() Delays {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.delays
}

// await waits for the turn and then until there is no debt, and returns what ends the turn.
func (a *Allowance) await(ctx context.Context) (done func()) {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	began := time.Now()
	select {
	case a.turn <- struct{}{}:
		done = func() { <-a.turn }
	case <-ctx.Done():
		done = func() {}
	}
	for debt := -a.balance(); debt >= 0 && ctx.Err() == nil; debt = -a.balance() {
		select {
		case <-time.After(time.Duration(float64(debt)/a.share) + time.Microsecond):
		case <-ctx.Done():
		}
	}
	if waited := time.Since(began); waited >= noticed {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.delays.Count++
		a.delays.Total += waited
	}
	return done
}

// worth is the CPU time that is earned in so long.
func (a *Allowance) worth(d time.Duration) time.Duration { return time.Duration(a.share * float64(d)) }

// charge puts down to the work what others found that it cost as well.
func (a *Allowance) charge(more time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.charged += more
	a.settle()
}

// balance is the credit now.
func (a *Allowance) balance() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	return a.credit
}

// settle brings the credit up to date. A debt that patience does not pay is forgiven: a thousand small pieces would wait as long each for
// a single large one before them.
func (a *Allowance) settle() {
	now, spent := time.Now(), a.meter.Spent()+a.charged
	a.credit = min(max(a.credit+a.worth(now.Sub(a.at))-(spent-a.settled), -a.worth(a.patience)), a.saved)
	a.at, a.settled = now, spent
}
