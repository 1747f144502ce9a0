package sockdiag

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// appendSocket appends a message as the kernel would send it for s, with infoLength bytes of tcp_info.
func appendSocket(b []byte, family uint8, s *Socket, seq uint32, infoLength int) []byte {
	start := len(b)
	b = appendHeader(b, 0, byFamily, 0, seq)
	b = append(b, family, uint8(s.State), s.Timer, s.Retransmits)
	b = binary.BigEndian.AppendUint16(b, s.Local.Port())
	b = binary.BigEndian.AppendUint16(b, s.Remote.Port())
	if family == unix.AF_INET6 {
		local, remote := s.Local.Addr().As16(), s.Remote.Addr().As16()
		b = append(append(b, local[:]...), remote[:]...)
	} else {
		b = appendAddr(appendAddr(b, s.Local.Addr()), s.Remote.Addr())
	}
	for _, v := range []uint32{s.Interface, uint32(s.Cookie), uint32(s.Cookie >> 32), s.Expires, s.ReceiveQ, s.SendQ,
		s.UID, s.Inode} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	b = append(b, 5, 0, 8, 0, 1, 0, 0, 0) // an attribute of one byte, padded
	info := make([]byte, max(infoLength, lengthBytesRetrans))
	i := &s.Info
	info[2] = i.Retransmits
	for at, v := range map[int]uint32{8: uint32(i.RTO.Microseconds()), 16: i.SendMSS, 24: i.Unacked,
		44: uint32(i.SinceSent.Milliseconds()), 52: uint32(i.SinceReceived.Milliseconds()), 60: i.PMTU,
		68: uint32(i.RTT.Microseconds()), 80: i.SendWindow, 100: i.TotalRetrans, 136: i.SegsOut, 140: i.SegsIn,
		156: i.DataSegsOut, 192: i.Delivered} {
		binary.NativeEndian.PutUint32(info[at:], v)
	}
	for at, v := range map[int]uint64{120: i.BytesAcked, 128: i.BytesReceived, 200: i.BytesSent, 208: i.BytesRetrans} {
		binary.NativeEndian.PutUint64(info[at:], v)
	}
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+infoLength))
	b = binary.NativeEndian.AppendUint16(b, attributeInfo)
	b = append(b, info[:infoLength]...)
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return append(b, make([]byte, align(len(b))-len(b))...)
}

func example(local, remote string, infoLength int) Socket {
	return Socket{State: FinWait2, Timer: 1, Retransmits: 2, Interface: 3, Expires: 4, ReceiveQ: 5, SendQ: 6, UID: 7,
		Inode: 8, Cookie: 9<<32 | 10, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote),
		Info: TCPInfo{Length: infoLength, Retransmits: 1, RTO: 204 * time.Millisecond, SendMSS: 1448, Unacked: 2,
			SinceSent: 12 * time.Millisecond, SinceReceived: time.Second, PMTU: 1500, RTT: 31 * time.Microsecond,
			SendWindow: 10, TotalRetrans: 3, BytesAcked: 1 << 40, BytesReceived: 1 << 41, SegsOut: 4, SegsIn: 5,
			DataSegsOut: 6, Delivered: 7, BytesSent: 1<<40 + 500, BytesRetrans: 100}}
}

func decodeOne(t *testing.T, message []byte) (Socket, bool) {
	t.Helper()
	h, body, rest, ok, whole := cutMessage(message)
	require.True(t, ok)
	require.True(t, whole)
	require.Empty(t, rest)
	require.EqualValues(t, byFamily, h.kind)
	var s Socket
	return s, s.decode(body)
}

func TestDecodeAddresses(t *testing.T) {
	tests := []struct {
		name          string
		family        uint8
		local, remote string
		want          string // of remote
	}{
		{"IPv4", unix.AF_INET, "10.0.0.1:1", "192.0.2.1:443", "192.0.2.1:443"},
		{"IPv6", unix.AF_INET6, "[2001:db8::1]:1", "[2001:db8::2]:443", "[2001:db8::2]:443"},
		{"mapped IPv4 is IPv4", unix.AF_INET6, "[::ffff:10.0.0.1]:1", "[::ffff:192.0.2.1]:443", "192.0.2.1:443"},
		{"IPv6 with a zero lower half is IPv6", unix.AF_INET6, "[2001:db8::]:1", "[fd00::]:443", "[fd00::]:443"},
		{"IPv6 with a zero upper half is IPv6", unix.AF_INET6, "[::1]:1", "[::c000:201]:443", "[::c000:201]:443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := example(tt.local, tt.remote, 232)
			got, ok := decodeOne(t, appendSocket(nil, tt.family, &s, 1, 232))
			require.True(t, ok)
			s.Local = netip.AddrPortFrom(s.Local.Addr().Unmap(), s.Local.Port())
			s.Remote = netip.MustParseAddrPort(tt.want)
			require.Empty(t, cmp.Diff(s, got, cmpopts.EquateComparable(netip.AddrPort{})))
		})
	}
}

func TestDecodeOfEachAgeOfTCPInfo(t *testing.T) {
	tests := []struct {
		name   string
		length int
		counts bool
		sent   uint64
	}{
		{"none", 0, false, 0},
		{"cut short", 50, false, 0},
		{"2.6", 104, false, 0},
		{"4.1 acknowledges", 136, false, 1 << 40},
		{"4.18", 200, false, 1 << 40},
		{"4.19 counts", 216, true, 1<<40 + 400},
		{"6.18", 280, true, 1<<40 + 400},
		{"longer than any we know", 1000, true, 1<<40 + 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := example("10.0.0.1:1", "10.0.0.2:2", tt.length)
			got, ok := decodeOne(t, appendSocket(nil, unix.AF_INET, &s, 1, tt.length))
			require.True(t, ok)
			require.Equal(t, tt.counts, got.Info.CountsSent())
			require.Equal(t, tt.sent, got.Info.Sent())
		})
	}
}

func TestSentNeverUnderflows(t *testing.T) {
	require.Zero(t, (&TCPInfo{Length: 280, BytesSent: 5, BytesRetrans: 6}).Sent())
}

func TestLyingLengths(t *testing.T) {
	s := example("10.0.0.1:1", "10.0.0.2:2", 232)
	good := appendSocket(nil, unix.AF_INET, &s, 1, 232)
	change := func(at int, v uint16) []byte {
		b := append([]byte(nil), good...)
		binary.NativeEndian.PutUint16(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{"message longer than the datagram": change(0, uint16(len(good)+1)),
		"message shorter than its header": change(0, headerSize-1), "half a header": good[:9]} {
		_, _, _, ok, whole := cutMessage(b)
		require.False(t, ok, name)
		require.False(t, whole, name)
	}
	attributes := headerSize + messageSize
	for name, b := range map[string][]byte{"attribute of no length": change(attributes, 0),
		"attribute beyond the message": change(attributes, 0xffff)} {
		got, ok := decodeOne(t, b)
		require.True(t, ok, name)
		require.Equal(t, s.Cookie, got.Cookie, name)
		require.Zero(t, got.Info, name)
	}
	_, ok := decodeOne(t, change(headerSize, 99))
	require.False(t, ok, "a family that is none")
	var short Socket
	require.False(t, short.decode(good[headerSize:headerSize+messageSize-1]))
}

func FuzzDecode(f *testing.F) {
	for _, length := range []int{0, 104, 232} {
		s := example("10.0.0.1:1", "10.0.0.2:2", length)
		b := appendSocket(nil, unix.AF_INET, &s, 1, length)
		f.Add(appendSocket(b, unix.AF_INET6, &s, 2, length))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; ; {
			_, body, next, ok, _ := cutMessage(rest)
			if !ok {
				break
			}
			require.Less(t, len(next), len(rest), "every message takes something")
			rest = next
			messageErrno(body)
			var s Socket
			if !s.decode(body) {
				continue
			}
			require.True(t, s.Local.Addr().IsValid())
			require.False(t, s.Remote.Addr().Is4In6())
			// what was understood survives being said again
			family := uint8(unix.AF_INET6)
			if s.Local.Addr().Is4() && s.Remote.Addr().Is4() {
				family = unix.AF_INET
			}
			if s.Info.Length > 1000 {
				continue
			}
			again, ok := decodeOne(t, appendSocket(nil, family, &s, 1, s.Info.Length))
			require.True(t, ok)
			require.Empty(t, cmp.Diff(s, again, cmpopts.EquateComparable(netip.AddrPort{})))
		}
	})
}
