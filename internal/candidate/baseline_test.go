package candidate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

func TestBaselineIsTheVerdictOnAllAProgramDoes(t *testing.T) {
	s := newScene(t, agentRule)
	s.infos[agentID] = process.Info{ID: agentID, Program: process.Program{Path: "/opt/agent"}, SystemdUnit: "agent.service", ParentPath: "/sbin/init"}
	s.facts[agentID] = process.Facts{Examined: true, PackageKnown: true, EnvironRead: true, Protected: true}
	only := func() Baseline {
		s.ranker.Refresh()
		all := s.ranker.Baseline(history.Filter{Path: "/opt/agent"})
		require.Len(t, all, 1)
		return all[0]
	}
	s.beat(0, 7, "198.51.100.8:443")
	b := only()
	require.EqualValues(t, 1, b.Verdict.Expected, "a single send, to a covered destination")
	require.False(t, b.Periodic)
	require.Equal(t, 1, b.Destinations)
	for i := range 20 {
		s.beat(i, 7, "198.51.100.7:443")
	}
	b = only()
	require.EqualValues(t, 1, b.Verdict.Expected)
	require.Equal(t, "agent", b.Verdict.Rule)
	require.True(t, b.Periodic)
	require.Equal(t, agentID, b.Process)

	s.beat(30, 7, "203.0.113.9:443")
	s.beat(30, 7, "127.0.0.1:80")
	b = only()
	require.EqualValues(t, 0, b.Verdict.Expected)
	require.EqualValues(t, 1, b.Verdict.NetworkFacing)
	require.Equal(t, 3, b.Destinations, "loopback is no destination")
	require.Empty(t, b.Verdict.Rule)
	require.Contains(t, b.Verdict.Reason, "1 of 3 series not expected: operator rule agent covers other destinations only")

	record(s.store, "/opt/local", 8, "127.0.0.1:80", time.Minute, 10)
	require.Empty(t, s.ranker.Baseline(history.Filter{Path: "/opt/local"}))
}
