package sockdiag

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// nowhere is the remote end of a socket without one.
var nowhere = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)

func TestDumpShowsBothFamiliesInOneWalk(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			p := connect(t, address, 1)[0]
			_, err := p.client.Write(make([]byte, 700))
			require.NoError(t, err)
			d, err := dial(t, Config{}).DumpTCP(Connections)
			s, ok := collect(t, d, err)[p.ends()]
			require.True(t, ok, "the connection is in the walk")
			require.Equal(t, Established, s.State)
			require.Equal(t, p.remote(), s.Remote)
			require.NotZero(t, s.Cookie)
			require.NotZero(t, s.Inode)
			require.True(t, s.Info.CountsSent(), "this kernel counts bytes_sent")
			require.EqualValues(t, 700, s.Info.Sent())
			require.EqualValues(t, 1, s.Info.DataSegsOut)
		})
	}
}

func TestDumpGivesMappedAddressesAsIPv4(t *testing.T) {
	l, err := net.Listen("tcp", "[::]:0") // takes IPv4 as ::ffff:…
	if err != nil {
		need.Skip(t, "no IPv6: %v", err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	client, err := net.Dial("tcp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	require.NoError(t, err)
	defer client.Close()
	server, err := l.Accept()
	require.NoError(t, err)
	defer server.Close()
	d, err := dial(t, Config{}).DumpTCP(Connections)
	found := collect(t, d, err)
	s, ok := found[ends{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
		client.LocalAddr().(*net.TCPAddr).AddrPort()}]
	require.True(t, ok, "the accepted end is listed under its IPv4 address")
	require.True(t, s.Remote.Addr().Is4())
}

func TestListenersAreAWalkOfTheirOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p := connect(t, "127.0.0.1:0", 1)[0]
	d, err := dial(t, Config{}).DumpTCP(Listening)
	found := collect(t, d, err)
	require.Contains(t, found, ends{l.Addr().(*net.TCPAddr).AddrPort(), nowhere})
	require.NotContains(t, found, p.ends())
}

func TestUDPSockets(t *testing.T) {
	plain, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer plain.Close()
	connected, err := net.Dial("udp4", plain.LocalAddr().String())
	require.NoError(t, err)
	defer connected.Close()
	d, err := dial(t, Config{}).DumpUDP(unix.AF_INET, UDPSockets)
	found := collect(t, d, err)
	server := plain.LocalAddr().(*net.UDPAddr).AddrPort()
	require.Equal(t, Closed, found[ends{server, nowhere}].State)
	s := found[ends{connected.LocalAddr().(*net.UDPAddr).AddrPort(), server}]
	require.Equal(t, Established, s.State)
	require.Zero(t, s.Info.Length)
}

func TestAnUnfinishedDumpDoesNotDisturbTheNextRequest(t *testing.T) {
	pairs := connect(t, "127.0.0.1:0", 200) // several chunks
	c := dial(t, Config{})
	d, err := c.DumpTCP(Connections)
	require.NoError(t, err)
	require.True(t, d.Receive())
	d, err = c.DumpTCP(Connections)
	found := collect(t, d, err)
	for _, p := range pairs {
		require.Contains(t, found, p.ends())
	}
	d, err = c.DumpTCP(Connections)
	require.NoError(t, err)
	require.True(t, d.Receive())
	s := found[pairs[0].ends()]
	r, err := c.Get([]Query{{Local: s.Local, Remote: s.Remote, Cookie: s.Cookie}})
	require.NoError(t, err)
	reply, ok := r.Next(&s)
	require.True(t, ok)
	require.True(t, reply.Found)
}

func TestReadingAllocatesNothing(t *testing.T) {
	p := connect(t, "127.0.0.1:0", 100)[0]
	c := dial(t, Config{})
	d, err := c.DumpTCP(Connections)
	known := collect(t, d, err)[p.ends()]
	queries := []Query{{Local: known.Local, Remote: known.Remote, Cookie: known.Cookie}}
	var s Socket
	require.Zero(t, testing.AllocsPerRun(20, func() {
		d, err := c.DumpTCP(Connections)
		if err != nil {
			t.Fatal(err)
		}
		for d.Receive() {
			for d.Next(&s) {
			}
		}
		r, err := c.Get(queries)
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, ok := r.Next(&s); !ok {
				break
			}
		}
	}))
}

func TestDumpOfAnotherNamespace(t *testing.T) {
	here := connect(t, "127.0.0.1:0", 1)[0]
	ns := newNamespace(t, func() {})
	d, err := dial(t, Config{NetNS: ns}).DumpTCP(Connections)
	require.Empty(t, collect(t, d, err), "a new namespace has no sockets")
	d, err = dial(t, Config{}).DumpTCP(Connections)
	require.Contains(t, collect(t, d, err), here.ends(), "and the caller is where it was")
	_, err = Dial(Config{NetNS: 1 << 20})
	require.ErrorIs(t, err, unix.EBADF)
}
