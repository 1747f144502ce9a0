package source

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// connectOften makes n connections to an address, one after the other as fast as it goes, and sends one byte on each.
func connectOften(t *testing.T, n int, to netip.AddrPort) {
	t.Helper()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}))
		_, err = unix.Write(fd, []byte{1})
		require.NoError(t, err)
		require.NoError(t, unix.Close(fd))
	}
}

// Connections at the full speed of the loopback, of which no sample sees more than a few: with room for their notices every one is
// told with its byte; what has no room is a gap, and counted as lost, never left out in silence.
func TestTCPAtFullSpeed(t *testing.T) {
	connections := 20_000
	if racing {
		connections = 2000
	}
	tests := map[string]struct {
		cfg   TCPConfig
		whole bool
	}{
		"large buffer": {TCPConfig{MinPeriod: seldom}, true},
		"small buffer": {TCPConfig{MinPeriod: seldom, ReceiveBuffer: 1}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			enterNamespace(t)
			r := watchTCP(t, tt.cfg)
			to := server(t, "127.0.0.1:0", drain)
			connectOften(t, connections, to)
			var stats Stats
			var opened, told int
			all := func() bool {
				stats = r.Stats()
				sends := r.of(to)
				opened, told = len(only(send.Open, sends)), int(bytesOf(sends))
				return told+int(stats.Lost) >= connections // the server's ends have notices too
			}
			assert.Eventually(t, all, 6*patience, 100*time.Millisecond)
			t.Logf("%d of %d connections told, %d bytes, %d notices lost in %d gaps", opened, connections, told, stats.Lost, stats.Gaps)
			if tt.whole {
				require.Equal(t, connections, opened)
				require.Equal(t, connections, told)
				require.Zero(t, stats.Gaps)
				return
			}
			require.LessOrEqual(t, told, connections)
			require.Positive(t, stats.Gaps)
			require.Positive(t, stats.Lost)
		})
	}
}
