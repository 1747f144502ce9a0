package bpf

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// makeRecord builds a record as the programs lay it out.
func makeRecord(kind Kind, family, protocol uint16) []byte {
	b := make([]byte, recordSize)
	ne := binary.NativeEndian
	ne.PutUint32(b[atKind:], uint32(kind))
	ne.PutUint32(b[atNetNS:], 4026531833)
	ne.PutUint64(b[atTime:], 1000)
	ne.PutUint64(b[atCookie:], 77)
	ne.PutUint32(b[atPID:], 12)
	ne.PutUint16(b[atFamily:], family)
	binary.BigEndian.PutUint16(b[atRemotePort:], 443)
	copy(b[atRemote:], []byte{192, 0, 2, 1})
	copy(b[atLocal:], []byte{10, 0, 0, 1})
	ne.PutUint16(b[atLocalPort:], 40000)
	ne.PutUint16(b[atProtocol:], protocol)
	ne.PutUint16(b[atFlags:], flagBound|flagMPTCP)
	ne.PutUint16(b[atState:], synSent)
	ne.PutUint32(b[atErrno:], uint32(unix.ETIMEDOUT))
	copy(b[atComm:], "curl")
	return b
}

func TestDecode(t *testing.T) {
	var e Event
	require.True(t, e.decode(makeRecord(Closed, unix.AF_INET, unix.IPPROTO_TCP)))
	require.Equal(t, uint64(77), e.Cookie)
	require.Equal(t, uint32(4026531833), e.NetNS)
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:443"), e.Remote)
	require.Equal(t, netip.MustParseAddrPort("10.0.0.1:40000"), e.Local)
	require.Equal(t, syscall.ETIMEDOUT, e.Errno)
	require.False(t, e.Connected, "it closed in SYN_SENT")
	require.True(t, e.Bound && e.MPTCP && !e.Untracked)

	require.True(t, e.decode(makeRecord(Sent, unix.AF_INET, unix.IPPROTO_MPTCP)))
	require.Equal(t, uint8(unix.IPPROTO_TCP), e.Protocol, "MPTCP is TCP to those who read the rows")

	mapped := makeRecord(Sent, unix.AF_INET6, unix.IPPROTO_UDP)
	copy(mapped[atRemote:], netip.MustParseAddr("::ffff:192.0.2.9").AsSlice())
	require.True(t, e.decode(mapped))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.9:443"), e.Remote)

	unknown := makeRecord(Sent, unix.AF_INET, unix.IPPROTO_ICMP)
	clear(unknown[atRemotePort:atCookie])
	clear(unknown[atRemote:keySize])
	require.True(t, e.decode(unknown))
	require.False(t, e.Remote.IsValid())
}

func TestDecodeRefuses(t *testing.T) {
	var e Event
	for name, b := range map[string][]byte{
		"empty":        nil,
		"short":        makeRecord(Sent, unix.AF_INET, 17)[:recordSize-1],
		"no kind":      makeRecord(0, unix.AF_INET, 17),
		"unknown kind": makeRecord(Totals, unix.AF_INET, 17),
		"family":       makeRecord(Sent, unix.AF_UNIX, 17),
		"protocol":     makeRecord(Sent, unix.AF_INET, 300),
	} {
		require.False(t, e.decode(b), name)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	b := makeRecord(Sent, unix.AF_INET6, unix.IPPROTO_UDP)
	var e Event
	require.Zero(t, testing.AllocsPerRun(100, func() { e.decode(b) }))
}

func FuzzDecode(f *testing.F) {
	f.Add(makeRecord(Closed, unix.AF_INET, 6))
	f.Add(makeRecord(Sent, unix.AF_INET6, 17))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if !e.decode(b) {
			return
		}
		require.GreaterOrEqual(t, len(b), recordSize)
		require.False(t, e.Remote.IsValid() && e.Remote.Addr().Is4In6())
		require.True(t, e.Local.IsValid())
		require.True(t, e.Kind == Closed || e.Connected == (e.Kind == Opened))
	})
}

func BenchmarkDecode(b *testing.B) {
	in := makeRecord(Sent, unix.AF_INET6, unix.IPPROTO_UDP)
	var e Event
	b.ReportAllocs()
	for b.Loop() {
		e.decode(in)
	}
}
