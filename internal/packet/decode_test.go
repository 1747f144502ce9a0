package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ip builds a packet with options bytes of IPv4 options; transport comes after the header.
func ip(from, to string, protocol uint8, options int, transport []byte) []byte {
	a, b := netip.MustParseAddr(from), netip.MustParseAddr(to)
	var p []byte
	if a.Is4() {
		p = make([]byte, 12, 100)
		p[0], p[9] = 0x45+uint8(options/4), protocol
		p = append(append(p, a.AsSlice()...), b.AsSlice()...)
		p = append(p, make([]byte, options)...)
	} else {
		p = make([]byte, 8, 100)
		p[0], p[6] = 0x60, protocol
		p = append(append(p, a.AsSlice()...), b.AsSlice()...)
	}
	return append(p, transport...)
}

func udp(from, to, size uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint16(b, size+udpSize)
	return append(b, 0, 0)
}

func tcp(from, to uint16, flags byte) []byte {
	b := make([]byte, tcpSize)
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	b[tcpFlags] = flags
	return b
}

func TestDecode(t *testing.T) {
	at := netip.MustParseAddrPort
	fragment := ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_UDP, 0, udp(5000, 53, 40))
	fragment[7] = 1
	tests := []struct {
		name     string
		in       []byte
		outgoing bool
		want     Packet
		ok       bool
	}{
		{"datagram out", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_UDP, 0, udp(5000, 53, 40)), true, Packet{Protocol: 17,
			Outgoing: true, Local: at("10.0.0.1:5000"), Remote: at("192.0.2.1:53"), Size: 40}, true},
		{"datagram in", ip("192.0.2.1", "10.0.0.1", unix.IPPROTO_UDP, 0, udp(53, 5000, 0)), false, Packet{Protocol: 17,
			Local: at("10.0.0.1:5000"), Remote: at("192.0.2.1:53")}, true},
		{"options", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_UDP, 40, udp(5000, 53, 7)), true, Packet{Protocol: 17,
			Outgoing: true, Local: at("10.0.0.1:5000"), Remote: at("192.0.2.1:53"), Size: 7}, true},
		{"version 6", ip("2001:db8::1", "2001:db8::2", unix.IPPROTO_UDP, 0, udp(5000, 53, 9)), true, Packet{Protocol: 17,
			Outgoing: true, Local: at("[2001:db8::1]:5000"), Remote: at("[2001:db8::2]:53"), Size: 9}, true},
		{"SYN", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_TCP, 0, tcp(5000, 443, flagSYN)), true, Packet{Protocol: 6,
			Outgoing: true, Local: at("10.0.0.1:5000"), Remote: at("192.0.2.1:443")}, true},
		{"SYN-ACK", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_TCP, 0, tcp(5000, 443, flagSYN|flagACK)), true, Packet{}, false},
		{"SYN in", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_TCP, 0, tcp(5000, 443, flagSYN)), false, Packet{}, false},
		{"later fragment", fragment, true, Packet{}, false},
		{"ICMP", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_ICMP, 0, udp(5000, 53, 40)), true, Packet{}, false},
		{"cut", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_UDP, 0, udp(5000, 53, 40))[:25], true, Packet{}, false},
		{"length that cannot be", ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_UDP, 0, udp(5000, 53, 65530)), true, Packet{}, false},
		{"empty", nil, true, Packet{}, false},
		{"version 5", []byte{0x50, 0}, true, Packet{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			require.Equal(t, tt.ok, p.decode(tt.in, tt.outgoing))
			require.Equal(t, tt.want, p)
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(ip("10.0.0.1", "192.0.2.1", unix.IPPROTO_UDP, 8, udp(5000, 53, 40)), true)
	f.Add(ip("2001:db8::1", "2001:db8::2", unix.IPPROTO_TCP, 0, tcp(5000, 443, flagSYN)), true)
	f.Fuzz(func(t *testing.T, b []byte, outgoing bool) {
		var p Packet
		if !p.decode(b, outgoing) {
			require.Equal(t, Packet{}, p)
			return
		}
		require.True(t, p.Local.IsValid() && p.Remote.IsValid())
		require.LessOrEqual(t, p.Size, uint32(65535-udpSize))
		require.True(t, p.Protocol == unix.IPPROTO_UDP || (p.Outgoing && p.Size == 0))
	})
}

func BenchmarkDecode(b *testing.B) {
	in := ip("2001:db8::1", "2001:db8::2", unix.IPPROTO_UDP, 0, udp(5000, 53, 9))
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		p.decode(in, true)
	}
}
