package governor

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is one whose parts take shares of a core, and of which some cannot give way.
type process struct {
	*Governor
	now    time.Time
	spent  time.Duration
	fixed  float64
	takes  []float64 // by part
	eased  []int
	orders []string // every change, "a1" for the first halving of part a
}

func newProcess(t *testing.T, budget float64, depths ...int) *process {
	t.Helper()
	p := &process{now: time.Unix(0, 0), takes: make([]float64, len(depths)), eased: make([]int, len(depths))}
	c := Config{Budget: budget}
	for i, depth := range depths {
		name := string(rune('a' + i))
		c.Parts = append(c.Parts, Part{Name: name, Depth: depth, Ease: func(halvings int) {
			p.eased[i] = halvings
			p.orders = append(p.orders, name+string(rune('0'+halvings)))
		}})
	}
	g, err := New(c)
	require.NoError(t, err)
	p.Governor = g
	p.begin(p.now, usage{process: p.spent})
	return p
}

// pass lets looks pass, and returns the share of one core that was taken meanwhile.
func (p *process) pass(looks int) float64 {
	began, before := p.now, p.spent
	for range looks {
		share := p.fixed
		for i, takes := range p.takes {
			share += math.Ldexp(takes, -p.eased[i])
		}
		p.now = p.now.Add(p.config.Every)
		p.spent += time.Duration(share * float64(p.config.Every))
		p.look(p.now, usage{process: p.spent})
	}
	return float64(p.spent-before) / float64(p.now.Sub(began))
}

func TestPartsGiveWayInOrderAndComeBackInReverse(t *testing.T) {
	p := newProcess(t, 0.02, 2, 1, 3)
	p.fixed = 0.05 // more than all parts could save
	p.pass(40)
	require.Equal(t, "a1 a2 b1 c1 c2 c3", strings.Join(p.orders, " "))
	require.Equal(t, []string{"a", "b", "c"}, p.Stats().GivesWay)
	require.Greater(t, p.Stats().GaveWay, 10*p.config.Every)
	require.Equal(t, p.Stats().GaveWay-5*p.config.Every, p.Stats().Exhausted, "from the sixth step on")
	require.InDelta(t, 0.05, p.Stats().Share, 0.01)

	p.orders, p.fixed = nil, 0.001
	p.pass(80)
	require.Equal(t, "c2 c1 c0 b0 a1 a0", strings.Join(p.orders, " "))
	require.Empty(t, p.Stats().GivesWay)
	gave := p.Stats().GaveWay
	p.pass(100)
	require.Equal(t, gave, p.Stats().GaveWay)
	require.Len(t, p.orders, 6, "and nothing further")
}

func TestTheBudgetIsHeldInTheLongRun(t *testing.T) {
	for _, takes := range [][]float64{{0.03, 0, 0}, {0.03, 0.01, 0.01}, {0.2, 0, 0}, {0.001, 0.1, 0}, {0.01, 0.001, 0.04}} {
		p := newProcess(t, 0.02, 4, 3, 3)
		p.fixed, p.takes = 0.004, takes
		p.pass(100)
		require.LessOrEqual(t, p.pass(1000), 0.02*1.02, "%v", takes)
	}
}

func TestNoMoreGivesWayThanNecessary(t *testing.T) {
	p := newProcess(t, 0.02, 4, 1)
	p.takes = []float64{0.03, 0.01}
	for range 1000 {
		p.pass(1)
		require.Zero(t, p.eased[1])
		require.LessOrEqual(t, p.eased[0], 2)
	}
	require.Greater(t, p.pass(1000), 0.018, "what there is is used")
}

func TestWhatIsBelowTheBudgetNeverGivesWay(t *testing.T) {
	p := newProcess(t, 0.02, 4, 1)
	p.takes = []float64{0.019, 0}
	p.pass(10_000)
	p.spent += p.most() / 2 // now and then something costs more
	p.pass(10)
	require.Empty(t, p.orders)
}

func TestADebtIsBounded(t *testing.T) {
	p := newProcess(t, 0.02, 2)
	p.fixed = 1
	p.pass(1000)
	p.fixed = 0
	p.pass(int(p.config.Window / p.config.Every))
	require.Empty(t, p.Stats().GivesWay, "half an hour of too much is not paid for by as long a time of too little")
}

func TestSleepIsNeitherADebtNorUnboundedCredit(t *testing.T) {
	p := newProcess(t, 0.02, 2)
	p.now = p.now.Add(24 * time.Hour)
	p.pass(1)
	p.fixed = 0.5
	p.pass(3)
	require.NotEmpty(t, p.Stats().GivesWay)
	p.look(p.now, usage{process: p.spent}) // no time has passed
	p.look(p.now.Add(-time.Hour), usage{process: p.spent})
}

func TestNewRefusesWhatCannotBeKept(t *testing.T) {
	parts := []Part{{Name: "a", Ease: func(int) {}, Depth: 1}}
	for _, c := range []Config{{}, {Budget: 0.1}, {Budget: -1, Parts: parts}, {Budget: 1.1, Parts: parts}, {Budget: math.NaN(), Parts: parts},
		{Budget: 0.1, Parts: parts, Every: -1}, {Budget: 0.1, Parts: parts, Every: time.Minute}} {
		_, err := New(c)
		require.ErrorContains(t, err, "required")
	}
}

func TestTheCollectorIsPutDownToWhoWorks(t *testing.T) {
	for name, c := range map[string]struct {
		to         usage
		own, aside time.Duration
	}{
		"nothing":             {usage{}, 0, 0},
		"no answers":          {usage{process: 80, collector: 30}, 80, 0},
		"answers only":        {usage{process: 80, aside: 50, collector: 30}, 0, 80},
		"half and half":       {usage{process: 80, aside: 25, collector: 30}, 40, 40},
		"no collection":       {usage{process: 80, aside: 20}, 60, 20},
		"told later":          {usage{process: 10, aside: 5, collector: 30}, 0, 10},
		"an answer in arrear": {usage{process: 10, aside: 50}, 0, 10},
	} {
		base := usage{process: 1000, aside: 100, collector: 10}
		c.to.process, c.to.aside, c.to.collector = c.to.process+base.process, c.to.aside+base.aside, c.to.collector+base.collector
		own, aside := c.to.since(base)
		require.Equal(t, []time.Duration{c.own, c.aside}, []time.Duration{own, aside}, name)
	}
}
