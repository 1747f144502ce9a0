package main

import (
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/governor"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// govern returns what holds the whole sensor to its CPU budget. Answers to questions are left out: who asks waits for them.
func (in *instrument) govern(cfg config.Config) (*governor.Governor, error) {
	return governor.New(governor.Config{Budget: cfg.CPUBudget, Aside: in.answering.Spent, Parts: []governor.Part{
		{Name: "sampling", Depth: 4, Ease: in.namespaces.out.ease},
		{Name: "namespaces", Depth: 1, Ease: in.namespaces.ease},
		{Name: "enrichment", Depth: 4, Ease: in.enricher.Ease},
		{Name: "owners", Depth: 3, Ease: in.resolver.Ease},
	}})
}

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

// governed adds what the status table says of the CPU budget.
func (in *instrument) governed(h *table.Host, budget float64) {
	s := in.governor.Stats()
	h.CPUBudget, h.CPUShare, h.GivesWay, h.GaveWay = budget, s.Share, s.GivesWay, s.GaveWay
	h.QueryTime = s.Aside
}
