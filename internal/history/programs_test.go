package history

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestProgramsAndTheirDestinations(t *testing.T) {
	s, err := New(Config{Joins: func(d send.Destination) bool { return !d.Remote.Addr().IsLoopback() }})
	require.NoError(t, err)
	for i, sent := range []struct {
		path, addr string
		pid        int32
	}{{"/a", "198.51.100.1:443", 1}, {"/a", "198.51.100.2:443", 1}, {"/a", "127.0.0.1:80", 2}, {"/b", "198.51.100.1:443", 3}} {
		s.Record(&Key{Program: process.Program{Path: sent.path}}, process.ID{PID: sent.pid, StartTicks: 1}, &send.Send{
			Socket: send.Socket{Protocol: send.TCP, Remote: netip.MustParseAddrPort(sent.addr)}, Kind: send.Data,
			At: boottime.Time(i + 1), Bytes: 10})
	}
	for _, tt := range []struct {
		filter Filter
		want   map[string]int // destinations
	}{
		{Filter{}, map[string]int{"/a": 3, "/b": 1}},
		{Filter{Path: "/b"}, map[string]int{"/b": 1}},
		{Filter{PID: 2}, map[string]int{"/a": 3}},
		{Filter{PID: 2, Path: "/b"}, map[string]int{}},
		{Filter{Remote: netip.MustParseAddr("198.51.100.2")}, map[string]int{"/a": 3}},
		{Filter{Path: "/c"}, map[string]int{}},
	} {
		got := map[string]int{}
		for _, p := range s.Programs(tt.filter) {
			got[p.Key.Program.Path] = len(p.Destinations)
			require.NotZero(t, p.ID)
			require.NotZero(t, p.Latest)
			require.NotZero(t, p.Totals.Bytes)
		}
		require.Equal(t, tt.want, got, tt.filter)
	}
	together := s.Together()
	require.Len(t, together, 1, "the second has one destination")
	for _, destinations := range together {
		require.Len(t, destinations, 2, "loopback takes no part")
	}
}
