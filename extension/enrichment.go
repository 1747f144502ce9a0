package main

import (
	"github.com/beaconwatch/beaconwatch/internal/enrichment"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// newEnricher examines the processes that the instrument's resolver meets.
func (in *instrument) newEnricher() (*enrichment.Enricher, error) {
	return enrichment.New(enrichment.Config{
		Process: func(id process.ID) (process.Info, bool) { return in.resolver.Process(id) },
	})
}

// examined adds what the status table says of enrichment.
func (in *instrument) examined(h *table.Host) {
	s := in.enricher.Stats()
	h.EnrichmentDropped, h.HostPreload = s.Dropped, s.HostPreload
	if s.PackageError != nil {
		h.EnrichmentError = s.PackageError.Error()
	}
}
