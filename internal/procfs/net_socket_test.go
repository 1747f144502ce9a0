package procfs

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// rows as Linux 6.18 prints them on a little-endian host
const (
	rowTCP = "   0: 0100007F:1F90 0200000A:01BB 01 0000000A:00000005 02:000007A1 00000003  1000        0 71234 2 " +
		"ffff8881 20 4 30 10 -1                    "
	rowTCP6 = "   1: 00000000000000000000000001000000:0016 B80D0120000000000000000002000000:C350 0A 00000000:00000000 " +
		"00:00000000 00000000     0        0 22222 1 ffff8882 99 0 0 10 0"
	rowMapped = "   2: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000500000A:9C40 01 00000000:00000000 " +
		"00:00000000 00000000    33        0 33333 1 ffff8883 99 0 0 10 0"
	rowZeroHalf = "   3: B80D0120010000000000000000000000:01BB B80D0120020000000000000000000000:01BB 01 00000000:00000000 " +
		"00:00000000 00000000    33        0 44444 1 ffff8884 99 0 0 10 0"
	rowRaw = "   1: 0100007F:0001 0900000A:0000 01 00000000:00000000 00:00000000 00000000     0        0 55555 2 ffff8885 0"
)

func littleEndian(t *testing.T) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the rows are those of a little-endian host")
	}
}

func TestNetSocketRows(t *testing.T) {
	littleEndian(t)
	addr := netip.MustParseAddrPort
	tests := []struct {
		name, row string
		want      NetSocket
	}{
		{"tcp", rowTCP, NetSocket{Local: addr("127.0.0.1:8080"), Remote: addr("10.0.0.2:443"), State: 1, SendQ: 10,
			ReceiveQ: 5, Retransmits: 3, UID: 1000, Inode: 71234}},
		{"tcp6", rowTCP6, NetSocket{Local: addr("[::1]:22"), Remote: addr("[2001:db8::2]:50000"), State: 10, Inode: 22222}},
		{"mapped is IPv4", rowMapped, NetSocket{Local: addr("127.0.0.1:80"), Remote: addr("10.0.0.5:40000"), State: 1,
			UID: 33, Inode: 33333}},
		{"a zero lower half stays IPv6", rowZeroHalf, NetSocket{Local: addr("[2001:db8:0:1::]:443"),
			Remote: addr("[2001:db8:0:2::]:443"), State: 1, UID: 33, Inode: 44444}},
		{"raw", rowRaw, NetSocket{Local: addr("127.0.0.1:1"), Remote: addr("10.0.0.9:0"), State: 1, Inode: 55555}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got NetSocket
			require.True(t, got.parse([]byte(tt.row)))
			tt.want.Local = netip.AddrPortFrom(tt.want.Local.Addr(), tt.want.Local.Port())
			require.Equal(t, tt.want, got)
		})
	}
}

func TestNetSocketRowsThatMakeNoSense(t *testing.T) {
	for name, row := range map[string]string{
		"empty":                "",
		"blank":                "      ",
		"cut in the address":   rowTCP[:12],
		"cut before the inode": rowTCP[:91],
		"address of 3 digits":  "0: 123:1F90 0200000A:01BB 01 0:0 0:0 0 0 0 1",
		"no colon":             "0: 0100007F.1F90 0200000A:01BB 01 00000000:00000000 00:00000000 00000000 0 0 1",
		"bad hex":              "0: 0100007G:1F90 0200000A:01BB 01 00000000:00000000 00:00000000 00000000 0 0 1",
		"bad port":             "0: 0100007F:1F9Z 0200000A:01BB 01 00000000:00000000 00:00000000 00000000 0 0 1",
		"bad state":            "0: 0100007F:1F90 0200000A:01BB 001 00000000:00000000 00:00000000 00000000 0 0 1",
		"bad queues":           "0: 0100007F:1F90 0200000A:01BB 01 00000000 00:00000000 00000000 0 0 1",
		"negative inode":       "0: 0100007F:1F90 0200000A:01BB 01 00000000:00000000 00:00000000 00000000 0 0 -1",
		"inode too long":       "0: 0100007F:1F90 0200000A:01BB 01 00000000:00000000 00:00000000 00000000 0 0 99999999999999999999",
		"uid too large":        "0: 0100007F:1F90 0200000A:01BB 01 00000000:00000000 00:00000000 00000000 4294967296 0 1",
	} {
		var got NetSocket
		require.False(t, got.parse([]byte(row)), name)
	}
}

func FuzzNetSocket(f *testing.F) {
	for _, row := range []string{rowTCP, rowTCP6, rowMapped, rowZeroHalf, rowRaw, ""} {
		f.Add([]byte(row))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		var s NetSocket
		if !s.parse(row) {
			return
		}
		require.True(t, s.Local.Addr().IsValid() && s.Remote.Addr().IsValid())
		require.False(t, s.Local.Addr().Is4In6())
		// what was understood survives being printed as the kernel does
		again := NetSocket{}
		require.True(t, again.parse([]byte(printRow(s))))
		require.Equal(t, s, again)
	})
}

func printRow(s NetSocket) string {
	hex := func(a netip.AddrPort) (text string) {
		raw := a.Addr().AsSlice()
		for ; len(raw) > 0; raw = raw[4:] {
			text += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(raw))
		}
		return text + fmt.Sprintf(":%04X", a.Port())
	}
	return fmt.Sprintf("%4d: %s %s %02X %08X:%08X %02X:%08X %08X %5d %8d %d 2 0", 0, hex(s.Local), hex(s.Remote), s.State,
		s.SendQ, s.ReceiveQ, 0, 0, s.Retransmits, s.UID, 0, s.Inode)
}
