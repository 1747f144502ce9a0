package bpf

import (
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// Senders beside TCP and UDP count too, connected or not.
func TestRawAndICMPSenders(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
	echo4, echo6 := []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}, []byte{128, 0, 0, 0, 0, 0, 0, 0} // ICMP echo requests
	there4 := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	there6 := &unix.SockaddrInet6{Addr: [16]byte{15: 1}}
	tests := []struct {
		name         string
		family, kind int
		protocol     int
		connected    bool
	}{
		{"raw ICMP", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP, true},
		{"raw ICMP to a named address", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP, false},
		{"raw ICMPv6 to a named address", unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6, false},
		{"raw with a protocol of its own", unix.AF_INET, unix.SOCK_RAW, 253, true},
		{"raw with a protocol of its own to a named address", unix.AF_INET, unix.SOCK_RAW, 253, false},
		{"ping", unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP, true},
		{"ping to a named address", unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.kind == unix.SOCK_DGRAM {
				allowPing(t)
			}
			fd, err := unix.Socket(tt.family, tt.kind|unix.SOCK_CLOEXEC, tt.protocol)
			if err != nil {
				need.Skip(t, "socket: %v", err)
			}
			defer unix.Close(fd)
			cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			require.NoError(t, err)
			var there unix.Sockaddr = there4
			want, echo := netip.MustParseAddr("127.0.0.1"), echo4
			if tt.family == unix.AF_INET6 {
				there, want, echo = there6, netip.IPv6Loopback(), echo6
			}
			if tt.connected {
				require.NoError(t, unix.Connect(fd, there))
				_, err = unix.Write(fd, echo)
			} else {
				err = unix.Sendto(fd, echo, 0, there)
			}
			require.NoError(t, err)
			read(t, tracer, func(e *Event) bool {
				if e.Cookie != cookie {
					return false
				}
				require.EqualValues(t, tt.protocol, e.Protocol)
				require.Equal(t, uint64(len(echo)), e.Bytes)
				require.Equal(t, netip.AddrPortFrom(want, 0), e.Remote)
				require.Equal(t, !tt.connected, e.Peeked)
				return true
			})
		})
	}
}

// allowPing lets this user open ping sockets (icmp(7)) while the test runs.
func allowPing(t *testing.T) {
	t.Helper()
	const path = "/proc/sys/net/ipv4/ping_group_range"
	before, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte("0 2147483647"), 0o644)
	}
	if err != nil {
		need.Skip(t, "ping sockets: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, before, 0o644)) })
}
