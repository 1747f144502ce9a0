package bpf

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Senders beside TCP and UDP count too; their destination is known if the socket is connected, for no hook tells of it
// otherwise.
func TestRawAndICMPSenders(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
	echo := []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0} // an ICMP echo request
	there := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	tests := []struct {
		name      string
		protocol  int
		connected bool
		want      uint8
	}{
		{"raw ICMP", unix.IPPROTO_ICMP, true, unix.IPPROTO_ICMP},
		{"raw ICMP to a named address", unix.IPPROTO_ICMP, false, unix.IPPROTO_ICMP},
		{"raw with a protocol of its own", 253, true, 253},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, tt.protocol)
			if err != nil {
				missing(t, "raw socket: %v", err)
			}
			defer unix.Close(fd)
			cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			require.NoError(t, err)
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
				require.Equal(t, tt.want, e.Protocol)
				require.Equal(t, uint64(len(echo)), e.Bytes)
				require.Equal(t, tt.connected, e.Remote.IsValid())
				if tt.connected {
					require.Equal(t, netip.MustParseAddr("127.0.0.1"), e.Remote.Addr())
				}
				return true
			})
		})
	}
}
