package source

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// pace says when to sample next so that sampling costs no more than a fraction of one core: the period is what the work
// costs divided by the budget, but never below min. Costs are smoothed; they rise faster than they fall, so that one cheap
// pass does not start a burst of dear ones.
type pace struct {
	meter
	min    time.Duration
	budget float64 // fraction of one core
	share  *Share  // of the budget
	where  uint64  // network namespace, 0 for the sensor's own
	awake  bool    // and counted there
	cost   time.Duration
	last   time.Duration // of the last pass alone
	start  boottime.Time // of the last pass
	due    boottime.Time // of the next
	maxGap time.Duration
	late   uint64
}

// begin notes that a pass begins now.
func (p *pace) begin(now boottime.Time) {
	if !p.awake {
		p.awake = true
		p.share.add(1)
	}
	if p.start != 0 {
		p.maxGap = max(p.maxGap, now.Sub(p.start))
		if now.Sub(p.due) > p.period() {
			p.late++
		}
	}
	p.start = now
}

// end notes what the pass that began last cost and sets when the next is due.
func (p *pace) end(cost time.Duration) {
	p.last = cost
	switch {
	case p.cost == 0:
		p.cost = cost
	case cost > p.cost:
		// one pass during which the host slept or was frozen is no reason to be blind for minutes
		p.cost = (p.cost + min(cost, 3*p.cost)) / 2
	default:
		p.cost -= (p.cost - cost) / 4
	}
	p.due = p.start.Add(p.period())
}

// rested notes that no pass is due for a while: the time without one is no gap, and others may use the share.
func (p *pace) rested() {
	p.start = 0
	if p.awake {
		p.awake = false
		p.share.add(-1)
	}
}

// period is the present distance of passes, an hour at most however small the budget.
func (p *pace) period() time.Duration {
	return max(p.min, p.share.least(p.where != 0), time.Duration(min(float64(p.cost)/p.share.of(p.budget), float64(time.Hour))))
}

// run does work as one pass.
func (p *pace) run(work func() error) error {
	cost, err := p.measure(func() error {
		p.begin(boottime.Now())
		return work()
	})
	p.end(cost)
	return err
}
