// Package ceiling keeps the resident memory of this process below a ceiling. The runtime's own limit (GOMEMLIMIT) counts
// neither the executable, nor what is mapped from the kernel, nor what C-like libraries allocate, so it is set to what these
// leave; and because no collector can free what is in use, whoever holds the most is told how much room there is. It knows
// nothing of what it limits.
package ceiling

import (
	"context"
	"errors"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

const (
	// inUse is the part of the runtime's memory that may be live: the rest is the collector's to work with. With less it would
	// take more of the CPU.
	inUse = 0.72
	// steady is how little room is not worth telling, as a part of the runtime's memory: it comes and goes with every
	// collection.
	steady = 0.02
	// cycles is by how many collections room is judged, the least live of them: what a query took meanwhile is gone when the
	// history is. patience is for how many looks the next one is waited for after something was given up, forbearance while
	// nothing can be, or more is wanted than there is room for: each costs.
	cycles      = 2
	patience    = 2
	forbearance = 15
)

// Config of a Keeper. Limit and Fit are required.
type Config struct {
	// Limit is the ceiling in bytes.
	Limit int64
	// Fit is told by how many bytes more than now the heap may grow, negative for how much must be given up. It reports whether
	// anything was, and whether more room would be taken at once.
	Fit func(room int) (gave, full bool)
	// Every is the time between looks. Default 1 s.
	Every time.Duration
}

// Keeper keeps the ceiling while Run runs.
type Keeper struct {
	config  Config
	samples []metrics.Sample
	live    []int64 // by the collections since the last judgement
	least   int64   // of those before it
	cycle   uint64  // the latest of them
	idle    int     // looks since then
	waits   int     // looks after which a collection is not waited for any longer, 0 for never
}

// Names of runtime/metrics, in the order of Keeper.samples.
var names = [...]string{"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/free:bytes", "/gc/heap/live:bytes", "/gc/cycles/total:gc-cycles"}

// New returns a Keeper that does nothing until Run, but for a first limit of the runtime.
func New(c Config) (*Keeper, error) {
	if c.Limit <= 0 || c.Fit == nil {
		return nil, errors.New("ceiling: a limit and somebody to tell are required")
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	k := &Keeper{config: c, samples: make([]metrics.Sample, len(names))}
	for i, name := range names {
		k.samples[i].Name = name
	}
	debug.SetMemoryLimit(c.Limit / 2)
	return k, nil
}

// Run looks until ctx ends, and then takes the runtime's limit away.
func (k *Keeper) Run(ctx context.Context) error {
	defer debug.SetMemoryLimit(math.MaxInt64)
	k.look()
	for looks := 1; pulse.Wait(ctx, k.config.Every); looks++ {
		if looks%60 == 5 { // seldom: what is in use comes back at once
			giveBack()
		}
		k.look()
	}
	return nil
}

// look sets the runtime's limit by what else is resident now, and after some collections says how much room is left.
func (k *Keeper) look() {
	resident, shared := memory()
	metrics.Read(k.samples)
	value := func(i int) int64 { return int64(k.samples[i].Value.Uint64()) }
	mine, objects, free, live, cycle := value(0)-value(1), value(2), value(3), value(4), k.samples[5].Value.Uint64()
	outside := max(resident-mine, shared)
	allowed := max(k.config.Limit-outside, k.config.Limit/8)
	overhead := mine - objects - free // fragments, stacks, the runtime's own structures: more after a flood than before
	// a limit below what lives would have the collector run all the time, and free nothing
	debug.SetMemoryLimit(max(allowed, k.least*5/4+overhead))
	if cycle == k.cycle {
		if k.idle++; k.waits > 0 && k.idle >= k.waits {
			runtime.GC()
		}
		return
	}
	k.cycle, k.idle = cycle, 0
	k.live = append(k.live, live)
	if len(k.live) < cycles {
		return
	}
	k.least = slices.Min(k.live)
	room := int64(float64(allowed-overhead)*inUse) - k.least
	k.live = k.live[:0]
	if float64(max(room, -room)) <= steady*float64(allowed) {
		k.waits = min(k.waits, 1) * forbearance // as it was, but there is no hurry
		return
	}
	switch gave, full := k.config.Fit(int(room)); {
	case gave:
		k.waits = patience
	case full || room < 0:
		k.waits = forbearance
	default:
		k.waits = 0
	}
}
