// Package governor keeps the CPU time of this process within a share of one core. Every part has bounds of its own, but not their
// sum; so what the whole process has used is compared with what it may, and while there is a debt, parts give way in a fixed
// order, each as far as it can before the next one does. They come back in the reverse order. It knows nothing of what it limits.
package governor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// Part gives way when it is told to.
type Part struct {
	Name string
	// Ease has the part take half as much as usual, that many times over: 0, the usual, to Depth. It is called on the
	// goroutine of the Governor and must not block.
	Ease  func(halvings int)
	Depth int
}

// Config of a Governor. Budget and Parts are required.
type Config struct {
	// Budget is the share of one core, in (0, 1].
	Budget float64
	// Parts give way in this order.
	Parts []Part
	// Aside is work that has a budget of its own; its part of what the garbage collector takes is put down to it. May be nil.
	Aside *Allowance
	// Every is the time between looks, default 1 s. Window is for how long what is not taken can be saved up, default 20 s; a
	// debt is held against what comes later for a quarter of it. The start of the process is forgiven.
	Every, Window time.Duration
}

// Stats is what a Governor knows.
type Stats struct {
	// Share of one core that was taken of late, what is aside left out, and AsideShare that of the latter. Aside is the CPU time of
	// it, with its part of what the garbage collector took.
	Share, AsideShare float64
	Aside             time.Duration
	// GivesWay are the names of the parts that give way now, GaveWay for how long any did, Exhausted for how long all did as far as
	// they can.
	GivesWay  []string
	GaveWay   time.Duration
	Exhausted time.Duration
}

// Governor keeps the budget while Run runs.
type Governor struct {
	config Config
	credit time.Duration // of CPU time
	level  int           // steps taken: all of the first part's, then of the next
	quiet  int           // looks since the last step, with enough credit
	spent  usage
	at     time.Time

	mu    sync.Mutex
	stats Stats // guarded by mu
}

// New returns a Governor that does nothing until Run.
func New(c Config) (*Governor, error) {
	if c.Every == 0 {
		c.Every = time.Second
	}
	if c.Window == 0 {
		c.Window = 20 * time.Second
	}
	if !(c.Budget > 0 && c.Budget <= 1) || len(c.Parts) == 0 || c.Every < 0 || c.Window < c.Every {
		return nil, errors.New("governor: a budget in (0, 1], parts, and a window no shorter than the time between looks are required")
	}
	return &Governor{config: c}, nil
}

// Run looks until ctx ends.
func (g *Governor) Run(ctx context.Context) error {
	g.begin(time.Now(), g.usage())
	for pulse.Wait(ctx, g.config.Every) {
		g.look(time.Now(), g.usage())
	}
	return nil
}

// Stats is what is known now; safe for concurrent use.
func (g *Governor) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stats
}

func (g *Governor) begin(now time.Time, spent usage) {
	g.at, g.spent, g.credit = now, spent, g.most()
}

// most is what can be saved up.
func (g *Governor) most() time.Duration {
	return time.Duration(g.config.Budget * float64(g.config.Window))
}

// look takes a step where there is a debt that grows, and takes one back where a part of what can be saved up is: at once if half
// of the budget is left over, else at the second such look.
func (g *Governor) look(now time.Time, spent usage) {
	passed := now.Sub(g.at)
	if passed <= 0 {
		return
	}
	cost, aside := spent.since(g.spent)
	if g.config.Aside != nil {
		g.config.Aside.charge(max(aside-(spent.aside-g.spent.aside), 0))
	}
	g.at, g.spent = now, spent
	earned := time.Duration(g.config.Budget * float64(passed))
	g.credit = min(max(g.credit+earned-cost, -g.most()/4), g.most())
	before := g.level
	switch g.quiet++; {
	case g.credit < 0 && cost > earned:
		g.move(+1)
	case g.credit < g.most()/4 || cost > earned:
		g.quiet = 0
	case g.quiet > 1 || cost < earned/2:
		g.move(-1)
	}
	g.note(passed, cost, aside, before)
}

// move changes what the part does whose turn it is.
func (g *Governor) move(by int) {
	g.quiet = 0
	first := 0 // level at which a part has its turn
	for _, p := range g.config.Parts {
		if turn := min(g.level, g.level+by); turn >= first && turn < first+p.Depth {
			g.level += by
			p.Ease(g.level - first)
			return
		}
		first += p.Depth
	}
}

// note publishes. Shares are smoothed over the window.
func (g *Governor) note(passed, cost, aside time.Duration, level int) {
	var names []string
	first := 0
	for _, p := range g.config.Parts {
		if g.level > first {
			names = append(names, p.Name)
		}
		first += p.Depth
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	weight := min(float64(passed)/float64(g.config.Window), 1)
	g.stats.Share += (float64(cost)/float64(passed) - g.stats.Share) * weight
	g.stats.AsideShare += (float64(aside)/float64(passed) - g.stats.AsideShare) * weight
	g.stats.Aside += aside
	g.stats.GivesWay = names
	if level > 0 {
		g.stats.GaveWay += passed
	}
	if level == first {
		g.stats.Exhausted += passed
	}
}
