package replay

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// ordered passes times through a window of size and returns them as they come out.
func ordered(size int, times []boottime.Time) []boottime.Time {
	o, out := reorder{size: size}, []boottime.Time(nil)
	var r row
	pop := func() {
		o.pop(&r)
		out = append(out, r.send.At)
	}
	for _, at := range times {
		if o.full() {
			pop()
		}
		r = row{}
		r.send.At = at
		o.push(&r)
	}
	for !o.empty() {
		pop()
	}
	return out
}

func TestReorderSortsWithinItsWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		size, n := 1+random.IntN(50), random.IntN(500)
		starts := make([]boottime.Time, n)
		for i := range starts {
			starts[i] = boottime.Time(random.IntN(n))
		}
		slices.Sort(starts)
		// delay rows by fewer than size places, as connections of different lengths do
		type delayed struct {
			at    boottime.Time
			place int
		}
		var rows []delayed
		for i, at := range starts {
			rows = append(rows, delayed{at, i + random.IntN(size)})
		}
		slices.SortStableFunc(rows, func(a, b delayed) int { return a.place - b.place })
		var times []boottime.Time
		for _, r := range rows {
			times = append(times, r.at)
		}
		require.Equal(t, starts, slices.Concat([]boottime.Time{}, ordered(size, times)))
	}
}

func TestReorderKeepsTheOrderOfEqualTimes(t *testing.T) {
	o := reorder{size: 10}
	for i := range 5 {
		o.push(&row{host: string(rune('a' + i)), ended: 0})
	}
	var got string
	for !o.empty() {
		var r row
		o.pop(&r)
		got += r.host
	}
	require.Equal(t, "abcde", got)
}

func TestReorderIsBoundedAndReusesItsMemory(t *testing.T) {
	o := reorder{size: 1000}
	r := row{}
	for i := range 100_000 {
		if o.full() {
			o.pop(&r)
		}
		r.send.At = boottime.Time(time.Duration(i) * time.Second)
		o.push(&r)
	}
	require.LessOrEqual(t, len(o.rows)*chunk, 1000+chunk)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		o.pop(&r)
		r.send.At += boottime.Time(time.Hour)
		o.push(&r)
	}))
}
