package main

import (
	"context"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/governor"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

const (
	// answersSaved is the CPU time that answers may take at once: an hour of looking around by hand, or one large report.
	answersSaved = 3 * time.Second
	// answersPatience is how much later than it could a table is made at most: clients of osquery's protocol give up after a
	// few seconds, often three.
	answersPatience = time.Second
)

// govern makes what holds the sensor to its CPU budgets: answers to questions, which somebody waits for, to one, and all the rest to
// the other.
func (in *instrument) govern(cfg config.Config) (err error) {
	if in.answering, err = governor.NewAllowance(cfg.SQLCPUBudget, answersSaved, answersPatience); err != nil {
		return err
	}
	in.governor, err = governor.New(governor.Config{Budget: cfg.CPUBudget, Aside: in.answering, Parts: []governor.Part{
		{Name: "sampling", Depth: 2, Ease: in.namespaces.out.ease},
		{Name: "namespaces", Depth: 1, Ease: in.namespaces.ease},
		{Name: "enrichment", Depth: 4, Ease: in.enricher.Ease},
		{Name: "ranking", Depth: 3, Ease: in.ranker.Ease},
		{Name: "owners", Depth: 3, Ease: in.resolver.Ease},
	}})
	return err
}

// freely makes a call at once that costs next to nothing here.
func freely(_ context.Context, call func()) { call() }

// ease halves what sampling may take.
func (l *lookout) ease(halvings int) {
	for _, s := range l.shares() {
		s.Ease(halvings)
	}
}

// ease has the samples of other network namespaces give way. They are found and entered all the same, for their destroy notices.
func (n *namespaces) ease(halvings int) {
	n.spare.Store(halvings > 0)
	for _, s := range n.out.shares() {
		s.OwnFirst(halvings > 0)
	}
}

// governed adds what the status table says of the CPU budgets.
func (in *instrument) governed(h *table.Host, cfg config.Config) {
	s, delays := in.governor.Stats(), in.answering.Delays()
	h.CPUBudget, h.CPUShare, h.GivesWay, h.GaveWay = cfg.CPUBudget, s.Share, s.GivesWay, s.GaveWay
	h.Exhausted = s.Exhausted
	h.QueryTime, h.SQLCPUShare, h.SQLCPUBudget = s.Aside, s.AsideShare, cfg.SQLCPUBudget
	h.SQLDelays, h.SQLDelay = delays.Count, delays.Total
}
