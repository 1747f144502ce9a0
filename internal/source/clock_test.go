package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

func TestTheLastTickIsWithinAJiffy(t *testing.T) {
	c := newJiffyClock()
	require.Positive(t, c.jiffy)
	require.LessOrEqual(t, c.jiffy, 10*time.Millisecond)
	for range 100 {
		at := c.read()
		require.LessOrEqual(t, at.tick, at.now)
		require.LessOrEqual(t, at.now.Sub(at.tick), 10*c.jiffy)
	}
}

func TestAgoCountsFromTheTick(t *testing.T) {
	const ms, late = boottime.Time(time.Millisecond), boottime.Time(tickDelay)
	tests := []struct {
		name             string
		jiffy            time.Duration
		fromTick, toTick boottime.Time
		now              boottime.Time
		ago              time.Duration
		from, to         boottime.Time
	}{
		{"in one tick", 4 * time.Millisecond, 100 * ms, 100 * ms, 103 * ms, 40 * time.Millisecond, 60 * ms, 64*ms + late},
		{"across a tick", 4 * time.Millisecond, 100 * ms, 104 * ms, 105 * ms, 40 * time.Millisecond, 60 * ms, 68*ms + late},
		{"just now", 4 * time.Millisecond, 100 * ms, 100 * ms, 103 * ms, 0, 100 * ms, 103 * ms},
		{"a jiffy of 10 ms", 10 * time.Millisecond, 100 * ms, 100 * ms, 109 * ms, 50 * time.Millisecond, 50 * ms, 60*ms + late},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &jiffyClock{jiffy: tt.jiffy}
			from, to := c.ago(span{from: instant{tick: tt.fromTick}, to: instant{tick: tt.toTick, now: tt.now}}, tt.ago)
			require.Equal(t, tt.from, from)
			require.Equal(t, tt.to, to)
		})
	}
	third := &jiffyClock{jiffy: time.Second / 300, slack: time.Millisecond}
	from, to := third.ago(span{from: instant{tick: 100 * ms}, to: instant{tick: 100 * ms, now: 200 * ms}}, 0)
	require.Equal(t, 99*ms, from, "whole milliseconds hide part of a jiffy of 3.3 ms")
	require.Equal(t, 101*ms+late+boottime.Time(third.jiffy), to)
	vague := &jiffyClock{jiffy: 4 * time.Millisecond, blur: 4 * time.Millisecond}
	_, to = vague.ago(span{from: instant{tick: 100 * ms}, to: instant{tick: 100 * ms, now: 200 * ms}}, 0)
	require.Equal(t, 108*ms+late, to, "and a phase that is not known another jiffy")
}

func TestReadingsBeginAfterATick(t *testing.T) {
	c := newJiffyClock()
	require.Eventually(t, func() bool { return tickPhase.Load() != nil }, patience, time.Millisecond)
	c.synchronise()
	for i := range 50 {
		due := boottime.Now().Add(time.Duration(i) * 337 * time.Microsecond)
		at := c.afterTick(due)
		require.Less(t, at.Sub(due), c.jiffy+tickDelay)
		require.Less(t, due.Sub(at), c.jiffy+time.Millisecond, "it is past at most if due has already passed")
		phase := at.Sub(c.read().tick) % c.jiffy
		require.InDelta(t, min(tickDelay, c.jiffy/4), (phase+c.jiffy)%c.jiffy, float64(50*time.Microsecond))
	}
}

func TestPaceIsNotChargedForWorkAside(t *testing.T) {
	burn := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); {
		}
	}
	p := pace{min: time.Millisecond, budget: 0.5}
	require.NoError(t, p.run(func() error {
		p.aside(func() { burn(50 * time.Millisecond) })
		return nil
	}))
	alone := p.cost
	p = pace{min: time.Millisecond, budget: 0.5}
	require.NoError(t, p.run(func() error { burn(50 * time.Millisecond); return nil }))
	require.Less(t, alone, p.cost/4)
}

func TestPaceKeepsToItsBudget(t *testing.T) {
	p := pace{min: 20 * time.Millisecond, budget: 0.01}
	now := boottime.Time(time.Second)
	pass := func(cost time.Duration) {
		p.begin(now)
		p.end(cost)
		now = p.due
	}
	pass(50 * time.Microsecond)
	require.Equal(t, p.min, p.period(), "a cheap pass runs at the least period")
	for range 50 {
		pass(10 * time.Millisecond)
	}
	require.InDelta(t, time.Second, p.period(), float64(50*time.Millisecond), "a dear one as often as the budget allows")
	require.Zero(t, p.late)
	for range 100 {
		pass(0)
	}
	require.Equal(t, p.min, p.period(), "and it recovers")
	pass(time.Millisecond)
	pass(time.Hour)
	require.LessOrEqual(t, p.period(), time.Second, "one pass during which the host was frozen")
	for range 100 {
		pass(0)
	}
	gap := p.maxGap
	now = now.Add(3 * time.Second)
	pass(0)
	require.EqualValues(t, 1, p.late)
	require.Greater(t, p.maxGap, gap)
}

func TestPacesShareABudget(t *testing.T) {
	share := &Share{}
	paces := make([]pace, 4)
	for i := range paces {
		paces[i] = pace{min: time.Millisecond, budget: 0.1, share: share}
		paces[i].begin(boottime.Time(time.Second))
		paces[i].end(time.Millisecond)
	}
	require.Equal(t, 40*time.Millisecond, paces[0].period())
	paces[1].rested()
	paces[1].rested()
	require.Equal(t, 30*time.Millisecond, paces[0].period(), "who rests leaves its part to the others")
	paces[1].begin(boottime.Time(time.Minute))
	require.Zero(t, paces[1].maxGap, "and its rest is no gap")
	require.Equal(t, 40*time.Millisecond, paces[0].period())
}

// A host that slept has counted on boot time, and not on the monotonic time of its ticks: the offset between them is another. What is
// seen at the first reading after it is dated after the sleep, not before.
func TestTheClockGoesOnAfterTheHostSlept(t *testing.T) {
	for name, slept := range map[string]time.Duration{"a second": time.Second, "a night": 9 * time.Hour, "the offset was measured amiss": -time.Second} {
		t.Run(name, func(t *testing.T) {
			c := newJiffyClock()
			awake := c.offset
			c.offset -= slept // as it was before the host slept
			before := boottime.Now()
			at := c.read()
			require.GreaterOrEqual(t, at.now, before)
			require.LessOrEqual(t, at.tick, at.now)
			require.LessOrEqual(t, at.now.Sub(at.tick), c.jiffy)
			require.InDelta(t, awake, c.offset, float64(c.jiffy), "the offset is measured again")
			from, to := c.ago(span{from: at, to: at}, c.jiffy)
			require.InDelta(t, int64(before), int64(from), float64(20*c.jiffy))
			require.LessOrEqual(t, to, at.now)
			at = c.read()
			require.LessOrEqual(t, at.now.Sub(at.tick), 10*c.jiffy, "and holds")
			require.InDelta(t, awake, c.offset, float64(c.jiffy))
		})
	}
}
