package sensor

import (
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// Status is how well the sensor sees, over all sources.
type Status struct {
	Level             string // of TCP in the sensor's own namespace: "L3" to "L0", "proc", or "none"
	LevelReason       string // why no better source is in use there, empty if the best is
	TCPSource         string
	UDPSource         string
	Started           boottime.Time
	Samples           uint64
	LateSamples       uint64
	SamplePeriod      time.Duration // of the TCP source
	MaxGap            time.Duration // the longest time without a look at TCP sockets
	LostEvents        uint64
	Sends             uint64
	UnattributedSends uint64
	LastError         string
}

// SourceRow is one source of one protocol, in use or not.
type SourceRow struct {
	Source       string
	Protocol     string
	NetNS        uint64
	Active       bool
	RefusedErrno syscall.Errno
	Reason       string
	Stats        SourceStats
}

// Status returns the present state.
func (s *Sensor) Status() Status {
	st := Status{Level: "none", Started: s.started, Sends: s.sends.Load(), UnattributedSends: s.unattributed.Load()}
	s.mu.Lock()
	st.LastError = s.lastError
	for _, past := range s.ended {
		st.count(past)
	}
	s.mu.Unlock()
	var reasons []string
	for _, c := range s.snapshot() {
		own, better := c.ladder.NetNS == 0, true // than the rung in use
		for i, row := range c.rows() {
			st.count(row.Stats)
			if c.ladder.Protocol == "tcp" {
				st.MaxGap = max(st.MaxGap, row.Stats.MaxGap)
			}
			better = better && !row.Active
			switch {
			case row.Active && own && c.ladder.Protocol == "tcp":
				st.Level, st.TCPSource, st.SamplePeriod = c.ladder.Rungs[i].Level, row.Source, row.Stats.SamplePeriod
			case row.Active && own && c.ladder.Protocol == "udp":
				st.UDPSource = row.Source
			case better && own && row.Reason != "" && !slices.Contains(reasons, row.Reason):
				reasons = append(reasons, row.Reason)
			}
		}
	}
	st.LevelReason = strings.Join(reasons, "; ")
	return st
}

func (st *Status) count(s SourceStats) {
	st.Samples += s.Samples
	st.LateSamples += s.LateSamples
	st.LostEvents += s.Lost
}

// Sources returns a row for each rung of each ladder, in the order of the configuration.
func (s *Sensor) Sources() []SourceRow {
	var rows []SourceRow
	for _, c := range s.snapshot() {
		rows = append(rows, c.rows()...)
	}
	return rows
}

func (c *climber) rows() []SourceRow {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := make([]SourceRow, len(c.ladder.Rungs))
	for i, rung := range c.ladder.Rungs {
		rows[i] = SourceRow{Source: rung.Name, Protocol: c.ladder.Protocol, NetNS: c.ladder.NetNS, Active: i == c.on, Stats: c.past[i],
			RefusedErrno: c.reasons[i].errno, Reason: c.reasons[i].text}
		if i == c.on {
			rows[i].Stats = c.past[i].plus(c.source.Stats())
		}
	}
	return rows
}
