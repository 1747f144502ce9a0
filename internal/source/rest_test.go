package source

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/netns"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// asleep demands that no sample is taken for many periods.
func (r *record) asleep(t *testing.T, period time.Duration) {
	t.Helper()
	samples := r.Stats().Samples
	require.Never(t, func() bool { return r.Stats().Samples != samples }, 20*period, period)
}

// With nothing to watch the samplers take no further sample until the gate says that something has changed; what ends in
// between is told all the same, and began after the gate last looked.
func TestSamplersRestBehindAGate(t *testing.T) {
	enterNamespace(t)
	const period = 5 * time.Millisecond
	gate, share := &netns.Gate{}, &Share{}
	tcp, err := NewTCP(TCPConfig{MinPeriod: period, Place: Place{Gate: gate, Share: share}})
	r := run(t, tcp, err)
	to := server(t, "127.0.0.1:0", drain)
	r.asleep(t, period)
	require.Zero(t, share.awake.Load())

	checked := boottime.Now()
	gate.Same(time.Duration(checked))
	dial(t, to).Close()
	open := r.await(t, send.Open, to, 1)[0]
	require.GreaterOrEqual(t, open.At.Add(-open.Within), checked)
	r.asleep(t, period)

	c := dial(t, to)
	require.Empty(t, only(send.Open, r.of(c.LocalAddr().(*net.TCPAddr).AddrPort())))
	gate.Changed()
	r.await(t, send.Open, c.LocalAddr().(*net.TCPAddr).AddrPort(), 1)
	r.passes(t, 10) // as long as there is a connection
	require.EqualValues(t, 1, share.awake.Load())
	write(t, c, 99)
	require.EqualValues(t, 99, r.await(t, send.Data, to, 1)[0].Bytes)
	c.Close()
	r.await(t, send.Close, c.LocalAddr().(*net.TCPAddr).AddrPort(), 1)
}

func TestUDPDiagRests(t *testing.T) {
	enterNamespace(t)
	const period = 5 * time.Millisecond
	gate := &netns.Gate{}
	udp, err := NewUDPDiag(UDPDiagConfig{MinPeriod: period, Place: Place{Gate: gate}})
	r := run(t, udp, err)
	r.asleep(t, period)
	c, err := net.Dial("udp", "127.0.0.1:9")
	require.NoError(t, err)
	defer c.Close()
	gate.Changed()
	r.await(t, send.Open, c.LocalAddr().(*net.UDPAddr).AddrPort(), 1)
	r.passes(t, 10)
}

func TestProcNetRests(t *testing.T) {
	enterNamespace(t)
	const period = 5 * time.Millisecond
	gate := &netns.Gate{}
	proc, err := NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.Raw}, MinPeriod: period, Place: Place{Gate: gate}})
	r := run(t, proc, err)
	r.asleep(t, period)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		need.Skip(t, "raw socket: %v", err)
	}
	defer unix.Close(fd)
	require.NoError(t, unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	gate.Changed()
	require.Eventually(t, func() bool { return r.Stats().Events == 1 }, patience, time.Millisecond)
	r.passes(t, 10)
}

// Where another source tells of what is opened later, old connections are read to their end and nothing else.
func TestTCPTakenOver(t *testing.T) {
	enterNamespace(t)
	const period = 5 * time.Millisecond
	to := server(t, "127.0.0.1:0", drain)
	old := []*net.TCPConn{dial(t, to), dial(t, to)}
	write(t, old[0], 1000)
	tcp, err := NewTCP(TCPConfig{MinPeriod: period, TakenOver: true})
	r := run(t, tcp, err)
	dial(t, to)
	dial(t, to).Close()
	for i := range 5 {
		write(t, old[0], 10+i)
		data := r.await(t, send.Data, old[0].LocalAddr().(*net.TCPAddr).AddrPort(), i+1)[i]
		require.EqualValues(t, 10+i, data.Bytes)
		require.Equal(t, send.Jiffy, data.Quality)
	}
	for _, c := range old {
		c.Close()
		r.await(t, send.Close, c.LocalAddr().(*net.TCPAddr).AddrPort(), 1)
	}
	require.Len(t, r.of(to), 5+2, "of the others nothing is told")
	require.Eventually(t, func() bool { return !r.Stats().Active }, patience, time.Millisecond, "nothing is left to tell")
}
