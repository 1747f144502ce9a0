package main

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestAListenerWhoseOwnerTalksOutsideIsAProxy(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0") // as a stub resolver has it
	require.NoError(t, err)
	defer datagrams.Close()
	tcp := send.Destination{Protocol: send.TCP, Remote: netip.MustParseAddrPort(listener.Addr().String())}
	udp := send.Destination{Protocol: send.UDP, Remote: netip.MustParseAddrPort(datagrams.LocalAddr().String())}
	store, err := history.New(history.Config{})
	require.NoError(t, err)
	resolver, err := attribution.New(attribution.Config{})
	require.NoError(t, err)
	where := newDestinations()
	where.find = proxyFinder{store: store, resolver: resolver}.find

	where.refresh()
	for _, dst := range []send.Destination{tcp, udp} {
		require.Equal(t, send.Loopback, where.class(dst), "its owner has not been seen to talk")
	}

	// the owner of the listeners is this test; file an outbound send under the program the resolver says it is
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	self, err := attribution.Self()
	require.NoError(t, err)
	_, program, ok := resolver.Owner(send.Socket{Protocol: send.TCP}, int32(os.Getpid()))
	require.True(t, ok)
	store.Record(&history.Key{Program: program}, self, &send.Send{Kind: send.Data, At: boottime.Now(), Bytes: 1,
		Socket: send.Socket{Protocol: send.TCP, Remote: netip.MustParseAddrPort("198.51.100.1:443")}})
	for _, dst := range []send.Destination{tcp, udp} {
		require.Eventually(t, func() bool { where.refresh(); return where.class(dst) == send.LoopbackProxy }, 20*time.Second, 200*time.Millisecond)
	}
	require.Equal(t, send.Loopback, where.class(send.Destination{Protocol: send.UDP, Remote: tcp.Remote}))
	require.True(t, include(nil)(send.LoopbackProxy), "and stays among the candidates")
}
