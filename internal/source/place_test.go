package source

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Each source, opened on a thread of the namespace the test came from, watches the one the test is in.
func TestEverySourceWatchesAnotherNamespace(t *testing.T) {
	tests := map[string]struct {
		open    func(Place) (runner, error)
		network string
	}{
		"tcp":           {func(p Place) (runner, error) { return NewTCP(TCPConfig{Place: p}) }, "tcp"},
		"triggered tcp": {func(p Place) (runner, error) { return NewTriggeredTCP(TCPConfig{Place: p}) }, "tcp"},
		"packet":        {func(p Place) (runner, error) { return NewPacket(PacketConfig{Place: p}) }, "udp"},
		"udp_diag":      {func(p Place) (runner, error) { return NewUDPDiag(UDPDiagConfig{Place: p}) }, "udp"},
		"proc": {func(p Place) (runner, error) {
			return NewProcNet(ProcNetConfig{Place: p, Protocols: []send.Protocol{send.TCP}})
		}, "tcp"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			enterNamespace(t)
			ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(ns)
			var source runner
			opened := make(chan error)
			go func() {
				var err error
				source, err = tt.open(Place{NetNS: ns, NetNSInode: 4711})
				opened <- err
			}()
			err = <-opened
			r := run(t, source, err)
			to := server(t, "127.0.0.1:0", drain)
			c, err := net.Dial(tt.network, to.String())
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Write([]byte{1})
			require.NoError(t, err)
			require.Eventually(t, func() bool { return len(only(send.Open, r.of(to))) == 1 }, patience, time.Millisecond)
			require.EqualValues(t, 4711, r.of(to)[0].Socket.NetNS)
			require.EqualValues(t, 4711, r.Stats().NetNS)
		})
	}
}
