package source

import (
	"math/bits"
	"time"
)

const (
	// overhead is the share of its budget that a source spends between passes: on being woken, and in the runtime.
	overhead = 0.3
	// longestUnread bounds how long a connection that is silent goes unread, if the budget allows: check-ins a second apart
	// are told apart.
	longestUnread = time.Second
	// replan is how often to plan anew between complete passes.
	replan = time.Second
	// maxLevels is enough for doublings of a millisecond up to longestUnread.
	maxLevels = 11
	// usualGet is what one exact reading costs before any was measured.
	usualGet = 2 * time.Microsecond
)

// ladder says how often a connection is to be read that has been silent for so long: every least period at first, half as
// often whenever its silence doubles. So the readings before and after a send are never further apart than half of the
// silence it ends, which is what several sends that fell between two readings may be mistimed by.
type ladder struct {
	least time.Duration
}

// level is how many times the silence has doubled since a connection was read as often as possible.
func (l ladder) level(silence time.Duration) int {
	return min(bits.Len64(uint64(max(silence, 0)/(4*l.least))), maxLevels-1)
}

// interval is the distance of readings at a level.
func (l ladder) interval(level int) time.Duration {
	return max(l.least, min(l.least<<level, longestUnread))
}

// plan is how the connections known are read at the least cost: by a complete pass over all of the kernel's sockets every
// so often, which finds new ones as well, and in between, one by one, those of the first levels.
type plan struct {
	period time.Duration // of complete passes
	levels int           // read one by one
	cost   float64       // of the latter, as a share of one core
}

// costs are what there is to plan with.
type costs struct {
	pass, get time.Duration  // a complete pass, one exact reading
	counts    [maxLevels]int // connections at each level
	budget    float64        // share of one core
}

// exact is the cost of reading connections of a level one by one in between complete passes.
func (c *costs) exact(l ladder, level int, period time.Duration) float64 {
	interval := l.interval(level)
	if interval >= period {
		return 0
	}
	return float64(c.counts[level]) * float64(c.get) * (1/float64(interval) - 1/float64(period))
}

// best returns the cheapest plan whose complete passes are no further apart than discovery. Where that is beyond the budget, it
// is the one that reads most within it: exact readings may take half of it, for the connections that were silent least, and
// the complete passes the rest.
func (c *costs) best(l ladder, discovery time.Duration) plan {
	best := c.reading(l, discovery, maxLevels)
	for level := 0; level < maxLevels && l.interval(level) < discovery; level++ {
		if p := c.reading(l, l.interval(level), maxLevels); c.total(p) < c.total(best) {
			best = p
		}
	}
	if c.total(best) <= c.budget {
		return best
	}
	best = plan{period: max(l.least, c.affordable(0))}
	for levels := 1; levels <= maxLevels; levels++ {
		p := c.reading(l, l.beat(best.period), levels)
		for p.cost <= c.budget/2 && c.total(p) > c.budget {
			p = c.reading(l, l.beat(c.affordable(p.cost)), levels)
		}
		if p.cost > c.budget/2 {
			break
		}
		if p.levels > 0 {
			best = p
		}
	}
	return best
}

// beat rounds up to whole least periods, so that complete passes are readings among the others and not further ones.
func (l ladder) beat(period time.Duration) time.Duration {
	return (period + l.least - 1) / l.least * l.least
}

// affordable is the distance of complete passes that costs what exact readings leave of the budget.
func (c *costs) affordable(exact float64) time.Duration {
	return time.Duration(min(float64(c.pass)/(c.budget-exact), float64(time.Hour)))
}

// total is what a plan costs, as a share of one core.
func (c *costs) total(p plan) float64 { return p.cost + float64(c.pass)/float64(p.period) }

// reading is a plan with that period and at most so many levels read one by one.
func (c *costs) reading(l ladder, period time.Duration, levels int) plan {
	p := plan{period: period}
	for level := range levels {
		if cost := c.exact(l, level, period); cost > 0 {
			p.levels, p.cost = level+1, p.cost+cost
		}
	}
	return p
}
