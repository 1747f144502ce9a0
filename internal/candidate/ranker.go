package candidate

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

const (
	// leastBeats is from how many beats a pair is listed at all: with fewer there is not even one gap to compare with
	// another. They stay visible in process_outbound_stats.
	leastBeats = 3
	// A series that was scored is scored again when it has grown by a 32nd, or with its first change after this long.
	growth  = 32
	staleAt = 15 * time.Second
	// A program over all its destinations is reported only where that explains more than any single destination does: by
	// scopeMargin nats and a fifth, about 150:1 for one series against many. Below it the same beats would be told twice.
	scopeMargin = 5.0
	scopeFactor = 1.2
)

// Config wires a Ranker.
type Config struct {
	Store  *history.Store
	Scorer beacon.Config
	// Class says what kind of destination an address is; nil means send.Classify without subnets.
	Class func(send.Destination) send.Class
	// Include says whether destinations of a class are candidates; nil leaves out loopback, link-local, multicast and
	// broadcast, which are not outbound.
	Include func(send.Class) bool
	// Every is the time between refreshes; default 1 s.
	Every time.Duration
	// Grading is what verdicts rest on.
	Grading Grading
}

// Outbound is the default of Config.Include.
func Outbound(c send.Class) bool {
	return c != send.Loopback && c != send.LinkLocal && c != send.Multicast && c != send.Broadcast
}

// Ranker keeps the ranked snapshot current. Snapshot may be called from anywhere and never waits; Refresh and Run must
// not run at the same time as another Refresh.
type Ranker struct {
	config    Config
	scorer    *beacon.Scorer
	series    beacon.Series
	view      history.View
	by        map[uint64]*Candidate
	standings map[uint64]*standing
	grader    grader
	halvings  atomic.Int32 // of how often it refreshes
	current   atomic.Pointer[Snapshot]
}

// New returns a ranker with an empty snapshot.
func New(c Config) (*Ranker, error) {
	scorer, err := beacon.NewScorer(c.Scorer)
	if err != nil {
		return nil, fmt.Errorf("candidate: %w", err)
	}
	if c.Class == nil {
		c.Class = func(d send.Destination) send.Class { return send.Classify(d.Remote.Addr(), nil) }
	}
	if c.Include == nil {
		c.Include = Outbound
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.Grading, err = c.Grading.withDefaults(); err != nil {
		return nil, fmt.Errorf("candidate: %w", err)
	}
	r := &Ranker{config: c, scorer: scorer, by: map[uint64]*Candidate{}, standings: map[uint64]*standing{}, grader: grader{Grading: c.Grading}}
	r.current.Store(newSnapshot(nil))
	return r, nil
}

// Snapshot returns the newest ranking.
func (r *Ranker) Snapshot() *Snapshot { return r.current.Load() }

// Ease has Run refresh half as often, so many times over. Nothing is lost: what changed meanwhile is ranked later.
func (r *Ranker) Ease(halvings int) { r.halvings.Store(int32(halvings)) }

// Run refreshes until ctx ends.
func (r *Ranker) Run(ctx context.Context) error {
	for passed := 1; pulse.Wait(ctx, r.config.Every); passed++ {
		if passed >= 1<<r.halvings.Load() {
			passed = 0
			r.Refresh()
		}
	}
	return nil
}

// Refresh scores what changed, grades it as what is known of its process, its rules and its age says now, and publishes a
// new snapshot if anything is another.
func (r *Ranker) Refresh() {
	changed := false
	r.config.Store.Drain(&r.view, func(v *history.View) bool {
		if !r.due(v) {
			return false
		}
		changed = r.consider(v) || changed
		return true
	})
	ids := make([]uint64, 0, len(r.by))
	for id := range r.by {
		ids = append(ids, id)
	}
	r.config.Store.Alive(ids, func(id uint64) {
		delete(r.by, id)
		delete(r.standings, id)
		changed = true
	})
	listed := r.listed()
	if r.grade(listed, time.Now()) || changed {
		r.current.Store(newSnapshot(listed))
	}
}

// due reports whether v has changed enough to be scored again.
func (r *Ranker) due(v *history.View) bool {
	old := r.by[v.ID]
	return old == nil || v.Begun-old.begun >= uint64(len(v.Bursts)/growth) || time.Since(r.standings[v.ID].scored) >= staleAt
}

// consider scores one changed series, and reports whether its candidate is new.
func (r *Ranker) consider(v *history.View) bool {
	old := r.by[v.ID]
	if len(v.Bursts) < leastBeats && old == nil {
		return false
	}
	class := send.Public
	if !v.All {
		if class = r.config.Class(v.Destination); !r.config.Include(class) {
			return false
		}
	}
	c := &Candidate{ID: v.ID, Key: v.Key, Destination: v.Destination, Socket: v.Socket, Class: class, Process: v.Latest,
		Processes: v.Processes, Destinations: 1, Peers: v.Destinations, Totals: v.Totals, program: v.ProgramID, begun: v.Begun}
	if v.All {
		c.Scope, c.Destinations = ByProcess, v.Destinations
	}
	r.fill(v.Bursts)
	c.Result = r.scorer.Score(r.series)
	c.Resolution = medianOf(r.series.Within)
	c.Sparkline = sparkline(v.Bursts, c.Result.Interval)
	now := time.Now()
	var previous settled
	if old != nil {
		previous, c.Signature, c.AlertID = old.settled, old.Signature, old.AlertID
	} else {
		c.Signature = Signature(c.Key, c.Scope, c.Destination)
		c.AlertID = alertID(c.Signature)
	}
	c.settle(now, &previous)
	r.by[v.ID] = c
	st := r.standings[v.ID]
	if st == nil {
		st = &standing{}
		r.standings[v.ID] = st
	}
	if old == nil || old.Process != c.Process {
		st.changed = now
	}
	st.scored, st.graded = now, false
	r.config.Store.SetEvidence(v.ID, c.Result.Evidence)
	return true
}

// fill turns bursts into the reused series.
func (r *Ranker) fill(bursts []history.Burst) {
	s := &r.series
	s.At, s.Last, s.Within = s.At[:0], s.Last[:0], s.Within[:0]
	s.Bytes, s.Failed = s.Bytes[:0], s.Failed[:0]
	origin := bursts[0].At
	for _, b := range bursts {
		s.At = append(s.At, b.At.Sub(origin))
		s.Last = append(s.Last, b.Last.Sub(origin))
		s.Within = append(s.Within, b.Within)
		s.Bytes = append(s.Bytes, b.Bytes)
		s.Failed = append(s.Failed, b.Failed)
	}
}

func medianOf(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[(len(sorted)-1)/2]
}

// listed are the candidates to publish: all but programs whose single destinations say as much.
func (r *Ranker) listed() []*Candidate {
	best := map[uint64]float64{}
	for _, c := range r.by {
		if c.Scope == ByDestination {
			best[c.program] = max(best[c.program], c.Result.Evidence)
		}
	}
	all := make([]*Candidate, 0, len(r.by))
	for _, c := range r.by {
		if c.Scope == ByProcess && c.Result.Evidence < max(best[c.program]*scopeFactor, best[c.program]+scopeMargin) {
			continue
		}
		all = append(all, c)
	}
	return all
}
