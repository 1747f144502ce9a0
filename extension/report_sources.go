package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// isHistories reports whether a file is one that a sensor has kept.
func isHistories(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(checkpoint.Magic))
	_, err = io.ReadFull(f, head)
	return err == nil && bytes.Equal(head, []byte(checkpoint.Magic))
}

// savedTables are the tables over the histories that a sensor has kept. The file is left as it is.
func savedTables(cfg config.Config, path string) (*sqlhost.Host, error) {
	store, err := history.New(history.Config{MaxPairs: 1_000_000, MaxFlows: 1_000_000, MaxBursts: 4096, MaxBytes: 1 << 30})
	if err != nil {
		return nil, err
	}
	saved, err := checkpoint.NewHistories(checkpoint.HistoriesConfig{Store: store, Boot: "none: read from a file",
		Offset: func() time.Duration { return 0 }})
	if err != nil {
		return nil, err
	}
	if err := saved.Read(path); err != nil {
		return nil, err
	}
	known := func(id process.ID) (process.Info, bool) { k, ok := saved.Process(id); return k.Info, ok }
	facts := func(id process.ID) (process.Facts, bool) {
		k, ok := saved.Process(id)
		return k.Facts, ok && k.Facts.Examined
	}
	rules, err := openRules(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	ranker, err := candidate.New(candidate.Config{Store: store, Scorer: scoring(cfg), Include: include(cfg.Include),
		Grading: candidate.Grading{Inventory: rules.Set, Process: known, Facts: facts, Clock: boottime.Recorded()}})
	if err != nil {
		return nil, err
	}
	ranker.Refresh()
	return newTableHost(table.All(table.Deps{Store: store, Ranker: ranker, Clock: boottime.Recorded(), Role: cfg.Role, Replay: true,
		Process: known, Facts: facts}), nil)
}

// ofFleet takes the newest row of each candidate on each host out of result logs. Logs hold no micro-bursts, so there are no
// pictures.
func (r *reporting) ofFleet(cmd *cobra.Command, files []string) (data report.Data, err error) {
	rows, err := fleetCandidates(cmd, files, fmt.Sprintf("score >= %g", r.least), bySeverity+", evidence DESC")
	if err != nil {
		return data, err
	}
	data.Source, data.Considered, data.Graded = fmt.Sprintf("result logs %s", strings.Join(files, ", ")), len(rows), map[string]int{}
	for _, row := range rows {
		data.Graded[row["severity"]]++
	}
	for _, row := range rows[:min(len(rows), r.limit)] {
		data.Candidates = append(data.Candidates, report.Candidate{Row: row})
	}
	return data, nil
}

// prefixes reads networks as CIDR.
func prefixes(words []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range words {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, usagef("--local: %q is not a network such as 192.0.2.0/24", text)
		}
		all = append(all, p)
	}
	return all, nil
}

// meanings explains the codes that rows carry.
func meanings() map[string]string {
	all := beacon.CodeMeanings()
	for _, w := range inventory.Vocabulary() {
		all[string(w.Code)] = w.Meaning
	}
	return all
}
