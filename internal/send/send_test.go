package send

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassify(t *testing.T) {
	subnets := []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("2001:db8:1::/64"),
		netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("203.0.113.0/31")}
	tests := []struct {
		name, addr string
		want       Class
	}{
		{"public v4", "8.8.8.8", Public},
		{"public v6", "2606:4700::1111", Public},
		{"rfc1918", "172.16.9.9", Private},
		{"unique local", "fd12::1", Private},
		{"carrier-grade NAT", "100.64.1.1", Private},
		{"own subnet", "10.1.2.9", SameSubnet},
		{"own subnet v6", "2001:db8:1::5", SameSubnet},
		{"a /32 is no subnet", "192.0.2.7", Public},
		{"subnet broadcast", "10.1.2.255", Broadcast},
		{"a /31 has no broadcast", "203.0.113.1", SameSubnet},
		{"limited broadcast", "255.255.255.255", Broadcast},
		{"metadata", "169.254.169.254", Metadata},
		{"metadata v6", "fd00:ec2::254", Metadata},
		{"link local", "169.254.1.1", LinkLocal},
		{"link local v6", "fe80::1", LinkLocal},
		{"multicast", "239.1.1.1", Multicast},
		{"multicast v6", "ff02::fb", Multicast},
		{"loopback", "127.8.8.8", Loopback},
		{"loopback v6", "::1", Loopback},
		{"mapped loopback", "::ffff:127.0.0.1", Loopback},
		{"mapped public", "::ffff:8.8.8.8", Public},
		{"unspecified connects to loopback", "0.0.0.0", Loopback},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Classify(netip.MustParseAddr(tt.addr), subnets))
		})
	}
	require.Equal(t, Loopback, Classify(netip.Addr{}, nil), "an invalid address goes nowhere")
}

func TestClassWordsRoundTrip(t *testing.T) {
	for c := Public; c <= Broadcast; c++ {
		got, ok := ParseClass(c.String())
		require.True(t, ok)
		require.Equal(t, c, got)
	}
	_, ok := ParseClass("internet")
	require.False(t, ok)
}

func TestWords(t *testing.T) {
	require.Equal(t, "tcp", TCP.String())
	require.Equal(t, "ip89", Protocol(89).String())
	require.Equal(t, "failed", Failed.String())
	require.Equal(t, "inferred", Inferred.String())
	d := Socket{Protocol: UDP, Remote: netip.MustParseAddrPort("[2001:db8::1]:53")}.Destination()
	require.Equal(t, "udp://[2001:db8::1]:53", d.String())
}
