package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/test/scene"
	"github.com/beaconwatch/beaconwatch/test/schedule"
)

// program is one that sends at its pace, from and until times since the start of the simulation.
type program struct {
	path, to    string
	every       time.Duration
	phase       time.Duration
	bytes       uint64
	from, until time.Duration
}

// host is a simulated host: what runs on it, and how its osqueryd is set up.
type host struct {
	name, role string
	configHash string // empty is that of all
	programs   []program
	config     schedule.Config               // Host, Querier, Results, Snapshots, Packs and Advance are filled in
	halfway    func(t testing.TB, h *host)   // what happens in the middle
	until      time.Duration                 // when the host goes silent; 0 is never
	restart    func(config *schedule.Config) // how osqueryd restarts in the middle; nil does not
	scene      *scene.Scene
}

// clocked asks a host whose SQL takes the simulated time for the present, which SQLite cannot be told.
type clocked struct {
	schedule.Querier
	now time.Time
}

func (c *clocked) Query(ctx context.Context, sql string) ([]string, [][]string, error) {
	return c.Querier.Query(ctx, strings.ReplaceAll(sql, "'now'", c.now.UTC().Format("'2006-01-02 15:04:05'")))
}

// shippedPacks are the generated packs, by the names they have in osquery.conf.
func shippedPacks(t testing.TB) []schedule.Pack {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "packs", "*.conf"))
	require.NoError(t, err)
	require.Len(t, paths, 3)
	var packs []schedule.Pack
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		pack, err := schedule.ParsePack(strings.TrimSuffix(filepath.Base(path), ".conf"), text)
		require.NoError(t, err)
		packs = append(packs, pack)
	}
	return packs
}

// live runs the host on a clock from start for as long as it says, with logs in a directory. The queries go over the
// extension protocol.
func (h *host) live(t *testing.T, packs []schedule.Pack, start time.Time, length time.Duration, dir string) {
	require.NoError(t, os.MkdirAll(dir, 0o755))
	logs, err := schedule.OpenLogs(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, logs.Close()) }()
	h.scene = scene.New(t)
	h.scene.Role = h.role
	if h.configHash != "" {
		h.scene.ConfigHash = h.configHash
	}
	osqueryd := scene.NewOsqueryd(t, nil)
	osqueryd.Extend(t, h.scene.Deps())
	clock := &clocked{Querier: osqueryd}
	if h.config.Database == nil {
		h.config.Database = schedule.NewDatabase()
	}
	h.config.Host, h.config.Querier, h.config.Results, h.config.Snapshots, h.config.Packs = h.name, clock, logs.Results, logs.Snapshots, packs
	h.config.Advance = func(now time.Time) {
		clock.now = now
		h.play(now.Sub(start), now)
	}
	end, middle := start.Add(length), start.Add(length/2)
	if h.until > 0 {
		end = start.Add(h.until)
	}
	daemon := schedule.New(h.config)
	if middle.Before(end) {
		require.NoError(t, daemon.Run(t.Context(), start, middle))
		if h.halfway != nil {
			h.halfway(t, h)
		}
		if h.restart != nil {
			h.restart(&h.config)
			daemon = schedule.New(h.config)
			middle = middle.Add(time.Second)
		}
	} else {
		middle = start
	}
	require.NoError(t, daemon.Run(t.Context(), middle, end))
}

// play records what the programs sent in the second that ends now.
func (h *host) play(elapsed time.Duration, now time.Time) {
	var flows []scene.Flow
	for i, p := range h.programs {
		since := elapsed - p.from - p.phase
		if since < 0 || elapsed > p.until || since%p.every != 0 {
			continue
		}
		flows = append(flows, scene.Flow{Program: process.Program{Path: p.path}, PID: int32(100 + i), To: []string{p.to}, Bytes: p.bytes, Count: 1, Until: now})
	}
	if len(flows) > 0 {
		h.scene.Play(flows...)
	}
}

// agent is on every host, poller on those of a role, each at a moment of its own; the implants on few hosts, in step.
func agent(n int) program {
	return program{path: "/usr/bin/agent", to: "192.0.2.10:443", every: time.Minute, phase: time.Duration(n*37%60) * time.Second, bytes: 420, until: 1000 * time.Hour}
}

func poller(role string, n int) program {
	return program{path: "/usr/lib/" + role + "/poller", to: "192.0.2.20:8443", every: 30 * time.Second, phase: time.Duration(n*17%30) * time.Second, bytes: 200, until: 1000 * time.Hour}
}

func implant() program {
	return program{path: "/tmp/.x/implant", to: "203.0.113.7:443", every: time.Minute, phase: 7 * time.Second, bytes: 151, from: 10 * time.Minute, until: 1000 * time.Hour}
}

// fifty hosts of three roles, with osqueryd set up in every way there is, and some to which something happens.
func fifty() []*host {
	var all []*host
	for n := range 50 {
		role := []string{"web", "web", "web", "db", "build"}[n/10]
		h := &host{name: fmt.Sprintf("%s-%02d", role, n), role: role, programs: []program{agent(n), poller(role, n)}}
		switch n % 5 {
		case 1:
			h.config.SnapshotEvents = true
		case 2:
			h.config.Batched = true
		case 3:
			h.config.Numerics, h.config.Decorations = true, map[string]string{"role": role}
		case 4:
			h.config.Name = func(_, query string) string { return "pack/Global/" + query }
			if n > 25 {
				h.config.Name = func(_, query string) string { return "pack/team-3/" + query }
			}
		}
		all = append(all, h)
	}
	for _, n := range []int{7, 18, 33} {
		all[n].programs = append(all[n].programs, implant())
	}
	all[33].restart = func(c *schedule.Config) { c.Database = schedule.NewDatabase() } // osquery's database is lost
	all[34].restart = func(c *schedule.Config) { c.Epoch = 1 }
	all[35].restart = func(*schedule.Config) {}
	all[45].configHash = "deadbeef"
	all[12].until = 20 * time.Minute
	all[40].halfway = func(t testing.TB, h *host) {
		h.scene.Lose(fmt.Errorf("programs are detached"))
		h.scene.AwaitLevel(t, "proc")
	}
	return all
}
