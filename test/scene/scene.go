// Package scene sets the stage for tests of queries: a sensor's memory filled with traffic whose nature is known, and an
// embedded host in the place of osqueryd that asks it over the extension protocol.
//
// It tests nothing by itself, and no traffic leaves the process.
package scene

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// Scene is a sensor's memory on recorded time, which counts since 1970.
type Scene struct {
	store            *history.Store
	ranker           *candidate.Ranker
	rules            *inventory.Live
	source           *source
	sensor           *sensor.Sensor
	Running          map[int32]process.Info // what is known of processes, by PID
	Role, ConfigHash string
	Config           string        // the effective configuration as JSON
	Exhausted        time.Duration // for how long everything gave way
}

// New returns an empty scene, whose sensor stands at L3 until the test ends.
func New(t testing.TB) *Scene {
	t.Helper()
	s := &Scene{Role: "web server", ConfigHash: "c0ffee", source: &source{ended: make(chan error, 1)}, Running: map[int32]process.Info{}}
	var err error
	s.store, err = history.New(history.Config{})
	require.NoError(t, err)
	s.rules = openRules(t)
	s.ranker, err = candidate.New(candidate.Config{Store: s.store, Grading: candidate.Grading{Inventory: s.rules.Set, Clock: boottime.Recorded()}})
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
	s.AwaitLevel(t, "L3")
	return s
}

// AwaitLevel waits until the sensor stands at a level.
func (s *Scene) AwaitLevel(t testing.TB, level string) {
	t.Helper()
	require.Eventually(t, func() bool { return s.sensor.Status().Level == level }, 10*time.Second, time.Millisecond)
}

// Lose ends the source at L3 with an error; it does not come back.
func (s *Scene) Lose(err error) { s.source.ended <- err }

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

// Deps are what the tables read.
func (s *Scene) Deps() table.Deps {
	return table.Deps{Store: s.store, Ranker: s.ranker, Sensor: s.sensor, Clock: boottime.Recorded(), Role: s.Role, Inventory: s.rules,
		Process: func(id process.ID) (process.Info, bool) { i, ok := s.Running[id.PID]; return i, ok },
		Host: func() table.Host {
			return table.Host{PID: 1, Version: "1.0", Config: s.Config, ConfigHash: s.ConfigHash, Exhausted: s.Exhausted}
		}}
}

// rules are those of the scene's operator: the browser may talk to anybody, the agent to its own servers at its pace.
const rules = `rules:
  - name: browser
    comment: people read
    owner: desktop@example.org
    expires: 2100-01-01
    program: {path: /usr/bin/browser}
    destinations: any
    period: any
  - name: agent
    comment: reports to our own servers
    owner: ops@example.org
    expires: 2100-01-01
    program: {path: /usr/sbin/agent}
    destinations: [{cidr: 203.0.113.0/24, port: 443}]
    period: 1m..10m
`

func openRules(t testing.TB) *inventory.Live {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(rules), 0o644))
	live, err := inventory.Open(inventory.Config{Files: inventory.Files{Dir: dir}})
	require.NoError(t, err)
	require.Empty(t, live.Status().Error)
	return live
}

// Flow is a program's sends to a destination.
type Flow struct {
	Program process.Program
	PID     int32
	OneShot bool     // a new process for each send
	To      []string // in turn
	Every   time.Duration
	Bytes   uint64
	Count   int
	Until   time.Time // the last send; zero is now
}

// Play records flows, in any order, and ranks.
func (s *Scene) Play(flows ...Flow) {
	for _, f := range flows {
		until := f.Until
		if until.IsZero() {
			until = time.Now()
		}
		for i := range f.Count {
			id := process.ID{PID: f.PID, StartTicks: 1}
			if f.OneShot {
				id.PID += int32(i)
			}
			at := boottime.Time(until.Add(-time.Duration(f.Count-1-i) * f.Every).UnixNano())
			s.store.Record(&history.Key{Program: f.Program}, id, &send.Send{Kind: send.Data, At: at, Bytes: f.Bytes, Sends: 1,
				Socket: send.Socket{Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:40000"),
					Remote: netip.MustParseAddrPort(f.To[i%len(f.To)])}})
		}
	}
	s.ranker.Refresh()
}

// Implant beacons every minute.
func Implant() Flow {
	return Flow{Program: process.Program{Path: "/tmp/.x/implant", UID: 1000}, PID: 700, To: []string{"198.51.100.7:443"}, Every: time.Minute, Bytes: 151, Count: 60}
}

// Exfiltration sends 96 KiB every ten seconds.
func Exfiltration() Flow {
	return Flow{Program: process.Program{Path: "/opt/upload", UID: 33}, PID: 800, To: []string{"198.51.100.8:443"}, Every: 10 * time.Second, Bytes: 96 << 10, Count: 60}
}

// Rotation takes twenty destinations in turn.
func Rotation() Flow {
	f := Flow{Program: process.Program{Path: "/usr/local/bin/rotor"}, PID: 900, Every: 30 * time.Second, Bytes: 300, Count: 60}
	for i := range 20 { // three beats for each
		f.To = append(f.To, fmt.Sprintf("198.51.100.%d:443", 20+i))
	}
	return f
}

// OneShots beacons with a new process each time.
func OneShots() Flow {
	return Flow{Program: process.Program{Path: "/usr/bin/python3", Script: "/opt/jobs/report.py"}, PID: 2000, OneShot: true,
		To: []string{"198.51.100.9:8443"}, Every: 2 * time.Minute, Bytes: 700, Count: 40}
}

// Unattributed beacons, and nobody knows who.
func Unattributed() Flow {
	return Flow{To: []string{"198.51.100.10:53"}, Every: time.Minute, Bytes: 90, Count: 60}
}

// Agent is the program of the rules, sending to one of its servers at its pace.
func Agent() Flow {
	return Flow{Program: process.Program{Path: "/usr/sbin/agent"}, PID: 300, To: []string{"203.0.113.5:443"}, Every: 5 * time.Minute, Bytes: 900, Count: 60}
}

// AgentElsewhere is the agent sending to somebody else.
func AgentElsewhere() Flow {
	f := Agent()
	f.To = []string{"198.51.100.66:443"}
	return f
}

// AgentFaster is the agent at a pace that its rule does not cover.
func AgentFaster() Flow {
	f := Agent()
	f.To, f.Every = []string{"203.0.113.6:443"}, 5*time.Second
	return f
}
