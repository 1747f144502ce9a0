package source

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

func TestOpener(t *testing.T) {
	const whole = 280 // bytes of tcp_info
	tests := []struct {
		name  string
		state sockdiag.State
		info  sockdiag.TCPInfo
		want  direction
	}{
		{"SYN sent", sockdiag.SynSent, sockdiag.TCPInfo{}, outbound},
		{"SYN received", sockdiag.SynReceived, sockdiag.TCPInfo{}, inbound},
		{"request", sockdiag.NewSynReceived, sockdiag.TCPInfo{}, inbound},
		{"ours, idle", sockdiag.Established, sockdiag.TCPInfo{BytesAcked: 1}, outbound},
		{"theirs, idle", sockdiag.Established, sockdiag.TCPInfo{}, inbound},
		{"ours, sent", sockdiag.CloseWait, sockdiag.TCPInfo{BytesAcked: 101, BytesSent: 150, BytesRetrans: 50}, outbound},
		{"theirs, sent", sockdiag.Established, sockdiag.TCPInfo{BytesAcked: 100, BytesSent: 100}, inbound},
		{"in flight", sockdiag.Established, sockdiag.TCPInfo{BytesAcked: 1, BytesSent: 100, Unacked: 1}, undecided},
		{"counted but never left", sockdiag.Established, sockdiag.TCPInfo{BytesAcked: 1, BytesSent: 600}, undecided},
		{"ours, FIN acknowledged", sockdiag.FinWait2, sockdiag.TCPInfo{BytesAcked: 102, BytesSent: 100}, outbound},
		{"theirs, FIN acknowledged", sockdiag.FinWait2, sockdiag.TCPInfo{BytesAcked: 101, BytesSent: 100}, inbound},
		{"ours, destroyed", sockdiag.Closed, sockdiag.TCPInfo{BytesAcked: 102, BytesSent: 100, DataSegsOut: 1, Delivered: 3},
			outbound},
		{"theirs, destroyed", sockdiag.Closed, sockdiag.TCPInfo{BytesAcked: 101, BytesSent: 100, DataSegsOut: 1, Delivered: 3},
			inbound},
		{"ours reset, or theirs with its FIN on payload", sockdiag.Closed,
			sockdiag.TCPInfo{BytesAcked: 101, BytesSent: 100, DataSegsOut: 1, Delivered: 2}, undecided},
		{"theirs, reset", sockdiag.Closed, sockdiag.TCPInfo{BytesAcked: 100, BytesSent: 100, DataSegsOut: 1, Delivered: 2},
			inbound},
		{"cleared", sockdiag.Closed, sockdiag.TCPInfo{}, undecided},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.info.Length = whole
			require.Equal(t, tt.want, opener(&sockdiag.Socket{State: tt.state, Info: tt.info}))
			if tt.state != sockdiag.SynSent && tt.state != sockdiag.SynReceived && tt.state != sockdiag.NewSynReceived {
				tt.info.Length = 200
				require.Equal(t, undecided, opener(&sockdiag.Socket{State: tt.state, Info: tt.info}), "before 4.19")
			}
		})
	}
}

func TestListenersAreMatchedAndForgotten(t *testing.T) {
	at := netip.MustParseAddrPort
	l := listeners{seen: make(map[netip.AddrPort]boottime.Time)}
	l.add(at("0.0.0.0:80"), 0)
	l.add(at("[::]:443"), 0)
	l.add(at("127.0.0.1:5432"), 0)
	for local, want := range map[string]bool{"10.0.0.1:80": true, "10.0.0.1:443": true, "[2001:db8::1]:443": true,
		"127.0.0.1:5432": true, "10.0.0.1:5432": false, "10.0.0.1:81": false} {
		require.Equal(t, want, l.has(at(local)), local)
	}
	l.expire(boottime.Time(listenerMemory))
	require.True(t, l.has(at("10.0.0.1:80")), "a server may be gone for minutes")
	l.add(at("0.0.0.0:80"), boottime.Time(time.Second))
	l.expire(boottime.Time(listenerMemory + time.Second))
	require.True(t, l.has(at("10.0.0.1:80")))
	require.False(t, l.has(at("10.0.0.1:443")))
}

func TestListenersAreBounded(t *testing.T) {
	l := listeners{seen: make(map[netip.AddrPort]boottime.Time)}
	for i := range maxListeners + 100 {
		l.add(netip.MustParseAddrPort(fmt.Sprintf("10.0.%d.%d:80", i>>8, i&255)), 0)
	}
	require.Len(t, l.seen, maxListeners)
}
