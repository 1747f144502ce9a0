package history

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestRecent(t *testing.T) {
	s, err := New(Config{})
	require.NoError(t, err)
	for n := range 10 {
		s.Record(&Key{Program: process.Program{Path: "/x"}}, process.ID{PID: 1}, &send.Send{Kind: send.Data, Bytes: 1,
			At:     boottime.Time(time.Duration(n) * time.Second),
			Socket: send.Socket{Protocol: send.TCP, Remote: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(n))}})
	}
	var ports []uint16
	s.Recent(boottime.Time(7*time.Second), func(k Key, d send.Destination) {
		require.Equal(t, "/x", k.Program.Path)
		ports = append(ports, d.Remote.Port())
	})
	require.ElementsMatch(t, []uint16{7, 8, 9}, ports)
}
