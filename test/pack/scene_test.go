// Package pack runs the shipped queries as osqueryd would: over the extension protocol, against a sensor's tables filled with
// traffic whose nature is known. It tests no package by itself.
package pack

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// scene is a sensor's memory on recorded time, which counts since 1970.
type scene struct {
	store   *history.Store
	ranker  *candidate.Ranker
	source  *source
	sensor  *sensor.Sensor
	running map[int32]process.Info
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{source: &source{ended: make(chan error, 1)}, running: map[int32]process.Info{}}
	var err error
	s.store, err = history.New(history.Config{})
	require.NoError(t, err)
	s.ranker, err = candidate.New(candidate.Config{Store: s.store})
	require.NoError(t, err)
	s.sensor, err = sensor.New(sensor.Config{
		Ladders: []sensor.Ladder{{Protocol: "tcp", Rungs: []sensor.Rung{
			{Name: "ebpf", Level: "L3", Open: s.source.open}, {Name: "proc", Level: "proc", Open: floor}}}},
		Owner:  func(*send.Send) (process.ID, process.Program, bool) { return process.ID{}, process.Program{}, false },
		Record: func(process.Program, process.ID, *send.Send) {}, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.sensor.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	s.awaitLevel(t, "L3")
	return s
}

func (s *scene) awaitLevel(t testing.TB, level string) {
	t.Helper()
	require.Eventually(t, func() bool { return s.sensor.Status().Level == level }, 10*time.Second, time.Millisecond)
}

// source is a source of one event that can be lost, as eBPF programs are when they are detached, and then is refused.
type source struct {
	ended chan error
	lost  bool // from the first loss on; only the ladder's goroutine looks at it
}

func (s *source) open() (sensor.Source, error) {
	if s.lost {
		return nil, fmt.Errorf("programs are detached")
	}
	return s, nil
}

func (s *source) Run(ctx context.Context, emit func(send.Send)) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.ended:
		s.lost = true
		return err
	}
}

func (s *source) Stats() sensor.SourceStats { return sensor.SourceStats{Events: 1} }

// floor is the lowest rung: it sees nothing and is never lost.
func floor() (sensor.Source, error) { return &source{ended: make(chan error)}, nil }

func (s *scene) deps() table.Deps {
	return table.Deps{Store: s.store, Ranker: s.ranker, Sensor: s.sensor, Clock: boottime.Recorded(), Role: "web server",
		Process: func(id process.ID) (process.Info, bool) { i, ok := s.running[id.PID]; return i, ok },
		Host:    func() table.Host { return table.Host{PID: 1, Version: "1.0", ConfigHash: "c0ffee"} }}
}

// flow is a program's sends to a destination.
type flow struct {
	program process.Program
	pid     int32
	oneShot bool     // a new process for each send
	to      []string // in turn
	every   time.Duration
	bytes   uint64
	count   int
	until   time.Time // the last send; zero is now
}

// play records flows, in any order, and ranks.
func (s *scene) play(flows ...flow) {
	for _, f := range flows {
		until := f.until
		if until.IsZero() {
			until = time.Now()
		}
		for i := range f.count {
			id := process.ID{PID: f.pid, StartTicks: 1}
			if f.oneShot {
				id.PID += int32(i)
			}
			at := boottime.Time(until.Add(-time.Duration(f.count-1-i) * f.every).UnixNano())
			s.store.Record(&history.Key{Program: f.program}, id, &send.Send{Kind: send.Data, At: at, Bytes: f.bytes, Sends: 1,
				Socket: send.Socket{Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:40000"),
					Remote: netip.MustParseAddrPort(f.to[i%len(f.to)])}})
		}
	}
	s.ranker.Refresh()
}

// The flows of a scene in which everything is found, one for each query.
func implant() flow {
	return flow{program: process.Program{Path: "/tmp/.x/implant", UID: 1000}, pid: 700, to: []string{"198.51.100.7:443"}, every: time.Minute, bytes: 151, count: 60}
}

func exfiltration() flow {
	return flow{program: process.Program{Path: "/opt/upload", UID: 33}, pid: 800, to: []string{"198.51.100.8:443"}, every: 10 * time.Second, bytes: 96 << 10, count: 60}
}

func rotation() flow {
	f := flow{program: process.Program{Path: "/usr/local/bin/rotor"}, pid: 900, every: 30 * time.Second, bytes: 300, count: 60}
	for i := range 20 { // three beats for each
		f.to = append(f.to, fmt.Sprintf("198.51.100.%d:443", 20+i))
	}
	return f
}

func oneShots() flow {
	return flow{program: process.Program{Path: "/usr/bin/python3", Script: "/opt/jobs/report.py"}, pid: 2000, oneShot: true,
		to: []string{"198.51.100.9:8443"}, every: 2 * time.Minute, bytes: 700, count: 40}
}

func unattributed() flow {
	return flow{to: []string{"198.51.100.10:53"}, every: time.Minute, bytes: 90, count: 60}
}
