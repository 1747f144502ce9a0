package candidate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

// scene is a ranker whose knowledge of processes the test sets.
type scene struct {
	store  *history.Store
	ranker *Ranker
	facts  map[process.ID]process.Facts
	infos  map[process.ID]process.Info
	set    *inventory.Set
}

func newScene(t testing.TB, rules string) *scene {
	s := &scene{facts: map[process.ID]process.Facts{}, infos: map[process.ID]process.Info{}, set: setOf(t, rules)}
	var err error
	s.store, err = history.New(history.Config{})
	require.NoError(t, err)
	s.ranker, err = New(Config{Store: s.store, Grading: Grading{
		Inventory: func() *inventory.Set { return s.set },
		Process:   func(id process.ID) (process.Info, bool) { i, ok := s.infos[id]; return i, ok },
		Facts:     func(id process.ID) (process.Facts, bool) { f, ok := s.facts[id]; return f, ok },
		Clock:     boottime.Recorded(),
	}})
	require.NoError(t, err)
	return s
}

func setOf(t testing.TB, rules string) *inventory.Set {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	if rules != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "r.yaml"), []byte("rules:\n"+rules), 0o644))
	}
	set, err := inventory.Load(inventory.Files{Dir: dir})
	require.NoError(t, err)
	return set
}

const agentRule = `  - name: agent
    comment: c
    owner: o
    expires: 2100-01-01
    program: {path: /opt/agent, systemd_unit: agent.service}
    destinations: [{cidr: 198.51.100.0/24, port: 443}]
    period: 1m
`

var agentID = process.ID{PID: 7, StartTicks: 1}

// beat records a minute's beat of the agent and returns what is published afterwards.
func (s *scene) beat(minute int, pid int32, addr string) {
	record(s.store, "/opt/agent", pid, addr, time.Duration(minute)*time.Minute, 151)
}

func (s *scene) only(t testing.TB) *Candidate {
	s.ranker.Refresh()
	all := s.ranker.Snapshot().Select(history.Filter{})
	require.Len(t, all, 1)
	return all[0]
}

func TestGradeFollowsWhatIsLearntLater(t *testing.T) {
	s := newScene(t, agentRule)
	for i := range 20 {
		s.beat(i, 7, "198.51.100.7:443")
	}
	first := s.only(t)
	require.EqualValues(t, 0, first.Verdict.Expected, "its unit is not known yet")
	require.Contains(t, first.Verdict.Codes, inventory.NotExamined)
	require.Equal(t, inventory.Medium, first.Verdict.Severity)
	snapshot := s.ranker.Snapshot()

	s.infos[agentID] = process.Info{ID: agentID, Program: process.Program{Path: "/opt/agent"}, SystemdUnit: "agent.service", ParentPath: "/sbin/init"}
	second := s.only(t)
	require.EqualValues(t, 1, second.Verdict.Expected)
	require.Equal(t, "agent", second.Verdict.Rule)
	require.Equal(t, inventory.Info, second.Verdict.Severity)
	require.EqualValues(t, 0, first.Verdict.Expected, "what was published does not change")
	require.Same(t, first, snapshot.Select(history.Filter{})[0])

	s.facts[agentID] = process.Facts{Examined: true, PackageKnown: true, EnvironRead: true, Preload: true}
	third := s.only(t)
	require.EqualValues(t, 0, third.Verdict.Expected, "no rule survives a preload")
	require.Equal(t, inventory.High, third.Verdict.Severity)

	settled := s.ranker.Snapshot()
	s.ranker.Refresh()
	require.Same(t, settled, s.ranker.Snapshot(), "nothing is another, nothing is published")
}

// TestGradeFollowsFactsThatChange: the package of a program may be found after it was examined, as when it has just been
// installed. What is found once the process has ended, or is forgotten, takes nothing back.
func TestGradeFollowsFactsThatChange(t *testing.T) {
	s := newScene(t, "")
	s.infos[agentID] = process.Info{ID: agentID, Program: process.Program{Path: "/opt/agent"}, ParentPath: "/sbin/init"}
	s.facts[agentID] = process.Facts{Examined: true, PackageKnown: true, EnvironRead: true}
	for i := range 20 {
		s.beat(i, 7, "198.51.100.7:443")
	}
	anew := func() inventory.Verdict {
		s.ranker.grader.full = time.Time{} // a minute later
		return s.only(t).Verdict
	}
	require.Contains(t, anew().Codes, inventory.NoPackage)
	packaged := process.Facts{Examined: true, PackageKnown: true, EnvironRead: true, Package: "agent", Intact: true}
	s.facts[agentID] = packaged
	require.NotContains(t, anew().Codes, inventory.NoPackage)
	for name, less := range map[string]process.Facts{"forgotten": {}, "to be inspected again": {Examined: true, EnvironRead: true},
		"ended": {Examined: true, PackageKnown: true}} {
		s.facts[agentID] = less
		require.NotContains(t, anew().Codes, inventory.NoPackage, name)
	}
	delete(s.facts, agentID)
	require.NotContains(t, anew().Codes, inventory.NoPackage)
	packaged.Intact, packaged.Altered = false, true
	s.facts[agentID] = packaged
	require.Contains(t, anew().Codes, inventory.AlteredExecutable)
}

func TestReloadedRulesGradeAnew(t *testing.T) {
	s := newScene(t, "")
	s.infos[agentID] = process.Info{ID: agentID, Program: process.Program{Path: "/opt/agent"}, SystemdUnit: "agent.service", ParentPath: "/sbin/init"}
	s.facts[agentID] = process.Facts{Examined: true, PackageKnown: true, EnvironRead: true, Protected: true}
	for i := range 20 {
		s.beat(i, 7, "198.51.100.7:443")
	}
	require.EqualValues(t, 0, s.only(t).Verdict.Expected)
	s.set = setOf(t, agentRule)
	require.EqualValues(t, 1, s.only(t).Verdict.Expected)
	s.set = setOf(t, "")
	require.EqualValues(t, -1, s.only(t).Verdict.NetworkFacing)
}

func TestOneShotProcessesKeepTheirVerdict(t *testing.T) {
	s := newScene(t, agentRule)
	for i := range 20 { // a new process each time; every third is gone before anybody could look at it
		id := process.ID{PID: int32(100 + i), StartTicks: 1}
		if i%3 != 0 {
			s.infos[id] = process.Info{ID: id, Program: process.Program{Path: "/opt/agent"}, SystemdUnit: "agent.service", ParentPath: "/sbin/init"}
			s.facts[id] = process.Facts{Examined: true, PackageKnown: true, EnvironRead: true, Protected: true}
		}
		s.beat(i, id.PID, "198.51.100.7:443")
		if i > 3 {
			c := s.only(t)
			require.EqualValues(t, 1, c.Verdict.Expected, "beat %d", i)
			require.NotContains(t, c.Verdict.Codes, inventory.NotExamined)
		}
		clear(s.infos) // and forgotten
		clear(s.facts)
	}
}

func TestAllDestinationsOfAProcessMustBeCovered(t *testing.T) {
	s := newScene(t, agentRule)
	s.infos[agentID] = process.Info{ID: agentID, Program: process.Program{Path: "/opt/agent"}, SystemdUnit: "agent.service", ParentPath: "/sbin/init"}
	s.facts[agentID] = process.Facts{Examined: true, PackageKnown: true, EnvironRead: true, Protected: true}
	byProcess := func() *Candidate {
		s.ranker.Refresh()
		for _, c := range s.ranker.Snapshot().Select(history.Filter{}) {
			if c.Scope == ByProcess {
				return c
			}
		}
		t.Fatal("no candidate by process")
		return nil
	}
	for i := range 60 { // rotating, so that only the program as a whole has a rhythm
		s.beat(i, 7, []string{"198.51.100.1:443", "198.51.100.2:443", "198.51.100.3:443", "198.51.100.4:443", "198.51.100.5:443"}[i*i*7%5])
	}
	require.EqualValues(t, 1, byProcess().Verdict.Expected)
	for i := range 8 {
		s.beat(60+i, 7, "203.0.113.9:443")
	}
	c := byProcess()
	require.EqualValues(t, 0, c.Verdict.Expected)
	require.Contains(t, c.Verdict.Codes, inventory.DestinationNotCovered)
}

func BenchmarkGradeAll(b *testing.B) {
	s := newScene(b, agentRule)
	for p := range 10_000 {
		for i := range 3 {
			record(s.store, fmt.Sprintf("/opt/agent%d", p%500), int32(p), fmt.Sprintf("198.51.%d.%d:443", p/250, p%250), time.Duration(i)*time.Minute, 151)
		}
	}
	s.ranker.Refresh()
	b.ReportAllocs()
	for b.Loop() {
		s.ranker.grader.full = time.Time{}
		s.ranker.Refresh()
	}
}

// TestCandidatesOfOneProcessShareWhatIsKnownOfIt: also where that is little, and as it becomes more.
func TestCandidatesOfOneProcessShareWhatIsKnownOfIt(t *testing.T) {
	s := newScene(t, agentRule)
	beat := func(from, to int) []*Candidate {
		for i := from; i < to; i++ {
			for _, address := range []string{"198.51.100.1:443", "198.51.100.2:443", "198.51.100.3:443"} {
				s.beat(i, 7, address)
			}
		}
		s.ranker.Refresh()
		return s.ranker.Snapshot().Select(history.Filter{})
	}
	check := func(ranked []*Candidate) {
		t.Helper()
		require.GreaterOrEqual(t, len(ranked), 3)
		first, alike := ranked[0], 0
		for _, c := range ranked[1:] {
			require.Same(t, s.ranker.standings[first.ID].witness, s.ranker.standings[c.ID].witness)
			if c.Verdict.Reason == first.Verdict.Reason && len(c.Verdict.Codes) > 0 && slices.Equal(c.Verdict.Codes, first.Verdict.Codes) {
				require.Same(t, unsafe.StringData(first.Verdict.Reason), unsafe.StringData(c.Verdict.Reason))
				require.Same(t, &first.Verdict.Codes[0], &c.Verdict.Codes[0])
				alike++
			}
		}
		require.Positive(t, alike)
	}
	check(beat(0, 10))
	check(beat(10, 20))
	s.infos[agentID] = process.Info{ID: agentID, Program: process.Program{Path: "/opt/agent"}, ParentPath: "/sbin/init"}
	ranked := beat(20, 30)
	check(ranked)
	require.Equal(t, "/sbin/init", s.ranker.standings[ranked[0].ID].witness.info.ParentPath)
}
