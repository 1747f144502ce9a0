package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/bpf"
)

// The kernel's own count of ticks changes just where ticks are taken to be.
func TestTheTickCountChangesAtTicks(t *testing.T) {
	c := newJiffyClock()
	require.Eventually(t, func() bool { return tickPhase.Load() != nil }, patience, time.Millisecond)
	c.synchronise()
	var there, late int
	for range 20 {
		before, ok := awaitChange(tickCount, monotonic(unix.CLOCK_MONOTONIC)+patience)
		require.True(t, ok)
		for monotonic(unix.CLOCK_MONOTONIC) < before+tickDelay { // readings begin that much after a tick
		}
		at := c.read()
		if off := (before - c.phase + c.jiffy/2) % c.jiffy; off > c.jiffy/2-tickDelay && off < c.jiffy/2+tickDelay {
			there++
		}
		if at.now.Sub(at.tick) > c.jiffy/2 { // a neighbour on the machine delays a tick now and then
			late++
		}
	}
	require.GreaterOrEqual(t, there, 10)
	require.Less(t, late, 10)
}

func TestTheLastTickWhateverTheCoarseClockShows(t *testing.T) {
	const us = time.Microsecond
	c := &jiffyClock{jiffy: 4000 * us, phase: 700 * us}
	tests := []struct {
		name                 string
		coarse, now, expects time.Duration
	}{
		{"it shows the tick", 40_700 * us, 41_000 * us, 40_700 * us},
		{"it shows what is just before the tick", 40_699 * us, 41_000 * us, 40_700 * us},
		{"it shows what is just after the tick", 40_701 * us, 41_000 * us, 40_700 * us},
		{"it shows what is a jiffy before the tick", 36_710 * us, 41_000 * us, 40_700 * us},
		{"at the end of a jiffy", 40_700 * us, 44_699 * us, 40_700 * us},
		{"at the end of a jiffy, a jiffy before", 36_710 * us, 44_690 * us, 40_700 * us},
		{"a tick is late", 40_400 * us, 44_900 * us, 40_700 * us},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.expects, c.tickBefore(tt.coarse, tt.now)) })
	}
	c.blur = c.jiffy
	require.Equal(t, 36_710*us, c.tickBefore(36_710*us, 41_000*us), "all that is known where the phase is not")
}

func TestPhaseOfTicksThatComeLate(t *testing.T) {
	jiffy := bpf.Jiffy()
	phase := jiffy / 3
	delays := []time.Duration{jiffy / 4, 0, jiffy / 8, 0, 0, 0, 0, 0, 0, 0}
	start := (monotonic(unix.CLOCK_MONOTONIC)-phase)/jiffy + 1
	count := func() (uintptr, bool) {
		since := monotonic(unix.CLOCK_MONOTONIC) - phase
		n := since/jiffy - start
		if i := int(n); i >= 0 && i < len(delays) && since%jiffy < delays[i] {
			n-- // this tick has not been handled yet
		}
		return uintptr(n), true
	}
	measured, ok := measureTickPhase(count)
	if !ok {
		t.Skip("the machine was busy with something else throughout")
	}
	off := (measured - phase + jiffy) % jiffy
	require.Less(t, min(off, jiffy-off), jiffy/8, "the earliest changes say when ticks are")
}

func TestPhaseOfACountThatStands(t *testing.T) {
	_, ok := measureTickPhase(func() (uintptr, bool) { return 7, true })
	require.False(t, ok)
	_, ok = measureTickPhase(func() (uintptr, bool) { return 0, false })
	require.False(t, ok)
}
