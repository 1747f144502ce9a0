package replay

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestParseDestination(t *testing.T) {
	tests := []struct {
		text     string
		protocol send.Protocol
		addr     string
		port     uint16
		name     string
	}{
		{"192.0.2.1:443", send.TCP, "192.0.2.1", 443, ""},
		{"udp://192.0.2.1:53", send.UDP, "192.0.2.1", 53, ""},
		{"UDP://192.0.2.1:53", send.UDP, "192.0.2.1", 53, ""},
		{"tcp://[2001:db8::1]:443", send.TCP, "2001:db8::1", 443, ""},
		{"2001:db8::1", send.TCP, "2001:db8::1", 0, ""},
		{"[2001:db8::1]", send.TCP, "2001:db8::1", 0, ""},
		{"::ffff:192.0.2.1", send.TCP, "192.0.2.1", 0, ""},
		{"192.0.2.1", send.TCP, "192.0.2.1", 0, ""},
		{"https://c2.example:8443", send.TCP, "", 8443, "c2.example"},
		{"c2.example", send.TCP, "", 0, "c2.example"},
		{"c2.example:99999", send.TCP, "", 0, "c2.example"},
		{"", send.TCP, "", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			protocol, addr, name := parseDestination(tt.text)
			require.Equal(t, tt.protocol, protocol)
			require.Equal(t, tt.port, addr.Port())
			require.Equal(t, tt.name, name)
			require.Equal(t, tt.addr != "", addr.Addr().IsValid())
			if tt.addr != "" {
				require.Equal(t, netip.MustParseAddr(tt.addr), addr.Addr())
			}
		})
	}
}

func TestPlaceholdersDiffer(t *testing.T) {
	require.Equal(t, netip.MustParseAddr("100::1"), placeholder(1))
	require.Equal(t, netip.MustParseAddr("100::100:0:1"), placeholder(1<<40|1))
	require.Equal(t, send.Public, send.Classify(placeholder(5), nil), "or it would not become a candidate")
}
