package source

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const tenth = 100 * time.Millisecond

func TestLadderReadsTwiceInEachDoublingOfSilence(t *testing.T) {
	l := ladder{least: tenth}
	for silence, want := range map[time.Duration]time.Duration{-time.Second: tenth, 0: tenth, 399 * time.Millisecond: tenth,
		400 * time.Millisecond: 2 * tenth, 799 * time.Millisecond: 2 * tenth, 800 * time.Millisecond: 4 * tenth,
		3 * time.Second: 8 * tenth, time.Hour: longestUnread, 1 << 62: longestUnread} {
		require.Equal(t, want, l.interval(l.level(silence)), silence)
	}
	for silence := tenth; silence < 10*longestUnread; silence += 7 * time.Millisecond {
		require.LessOrEqual(t, l.interval(l.level(silence)), max(tenth, silence/2))
	}
	slow := ladder{least: 2 * longestUnread}
	require.Equal(t, slow.least, slow.interval(slow.level(time.Hour)), "never more often than asked for")
	fast := ladder{least: time.Millisecond}
	require.Equal(t, longestUnread, fast.interval(fast.level(time.Hour)))
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name      string
		counts    [maxLevels]int
		pass      time.Duration
		discovery time.Duration
		want      plan // cost left out
	}{
		{"complete passes alone, where they are cheap enough for discovery", [maxLevels]int{10, 10, 100}, time.Millisecond / 2, tenth,
			plan{period: tenth}},
		{"discovery beyond the budget, nobody active", [maxLevels]int{0, 0, 1000}, 2 * time.Millisecond, tenth,
			plan{period: 200 * time.Millisecond}},
		{"some active: they are read at the usual pace", [maxLevels]int{100, 0, 900}, 2 * time.Millisecond, tenth,
			plan{period: 3 * tenth, levels: 1}},
		{"too many active: complete passes are cheaper", [maxLevels]int{1000}, 2 * time.Millisecond, tenth,
			plan{period: 200 * time.Millisecond}},
		{"discovery is another source's: few are read one by one", [maxLevels]int{3, 0, 0, 20}, time.Millisecond / 2, time.Minute,
			plan{period: time.Minute, levels: 4}},
		{"nobody is left", [maxLevels]int{}, time.Millisecond / 2, time.Minute, plan{period: time.Minute}},
		{"a pass is cheaper than reading a thousand every second", [maxLevels]int{1, 0, 0, 0, 1000}, time.Millisecond, time.Minute,
			plan{period: time.Second, levels: 1}},
		{"too many active for the budget, and the passes of another source: complete passes tell of them",
			[maxLevels]int{1000}, 500 * time.Microsecond, time.Hour, plan{period: tenth}},
		{"all are too many even for passes", [maxLevels]int{20, 0, 0, 0, 50000}, 50 * time.Millisecond, time.Minute,
			plan{period: 53 * tenth, levels: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := costs{pass: tt.pass, get: 2 * time.Microsecond, counts: tt.counts, budget: 0.01}
			got := c.best(ladder{least: tenth}, tt.discovery)
			got.cost = 0
			require.Equal(t, tt.want, got)
		})
	}
}

// Whatever the host looks like, a plan keeps to the budget, and to the pace of discovery where that allows.
func TestPlansKeepToTheBudget(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	l := ladder{least: tenth}
	for range 5000 {
		c := costs{pass: time.Duration(random.ExpFloat64() * float64(5*time.Millisecond)), get: 2 * time.Microsecond,
			budget: 0.001 + 0.1*random.Float64()}
		for i := range c.counts {
			c.counts[i] = int(random.ExpFloat64() * 300)
		}
		discovery := tenth * time.Duration(1+random.IntN(600))
		p := c.best(l, discovery)
		require.LessOrEqual(t, c.total(p), c.budget*1.0001, "%+v: %+v", c, p)
		require.GreaterOrEqual(t, p.period, l.least)
		if p.period > discovery {
			require.Greater(t, c.total(plan{period: discovery}), c.budget, "only the budget is a reason to look later")
		}
		for level, n := range c.counts {
			if n > 0 && level >= p.levels && l.interval(level) < p.period {
				sooner := plan{period: max(p.period-2*l.least, 1), cost: p.cost}
				require.Greater(t, c.total(sooner), c.budget, "nor any to leave some unread: %+v: %+v", c, p)
				break
			}
		}
		require.LessOrEqual(t, c.total(p), c.total(plan{period: l.least})+1e-9, "never dearer than complete passes all the time")
	}
}
