package source

import (
	"context"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// saved is how much CPU time an allowance may save up, for bursts: some twenty thousand connections at L1.
const saved = time.Second

// allowance keeps what is done as it comes within a fraction of one core in the long run. Beyond it the work waits, for the kernel
// to keep, and in the end to drop and count.
type allowance struct {
	meter
	budget float64
	share  *Share
	paid   boottime.Time // when all that was spent so far will have been earned
}

// run does work at the allowance's expense.
func (a *allowance) run(work func() error) error {
	cost, err := a.measure(work)
	a.spend(boottime.Now(), cost)
	return err
}

func (a *allowance) spend(now boottime.Time, cost time.Duration) {
	budget := a.share.of(a.budget)
	a.paid = max(a.paid, now.Add(-time.Duration(float64(saved)/budget))).Add(time.Duration(float64(cost) / budget))
}

// owes reports for how long the work must wait now; 0 as a rule.
func (a *allowance) owes(now boottime.Time) time.Duration { return max(a.paid.Sub(now), 0) }

// rest waits until the work may go on, or ctx ends.
func (a *allowance) rest(ctx context.Context) {
	timer := time.NewTimer(a.owes(boottime.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
