package governor

import (
	"runtime/metrics"
	"time"
)

// usage is the CPU time used so far.
type usage struct {
	process   time.Duration // all of it
	aside     time.Duration // by work that has a budget of its own
	collector time.Duration // by the garbage collector, as the runtime estimates at the end of each collection
}

func (g *Governor) usage() usage {
	u := usage{process: Process()}
	if g.config.Aside != nil {
		u.aside = g.config.Aside.Spent()
	}
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	u.collector = time.Duration(sample[0].Value.Float64() * float64(time.Second))
	return u
}

// since divides what was used since then. The collector's part is put down to either in proportion to what it took itself:
// answering questions makes most of the garbage.
func (u usage) since(then usage) (own, aside time.Duration) {
	all := max(u.process-then.process, 0)
	work := max(all-(u.collector-then.collector), 1)
	aside = time.Duration(float64(all) * min(float64(u.aside-then.aside)/float64(work), 1))
	return all - aside, aside
}
