package main

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSenderSendsWhatItIsToldTo(t *testing.T) {
	tests := []struct {
		name string
		sending
	}{
		{"one", sending{network: "tcp", sends: 1, bytes: 100}},
		{"several, each a byte longer", sending{network: "tcp", sends: 4, bytes: 10, every: time.Millisecond}},
		{"closed by RST", sending{network: "tcp", sends: 1, bytes: 7, reset: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			listener, err := net.Listen("tcp4", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			tt.to = listener.Addr().(*net.TCPAddr).AddrPort()
			require.NoError(t, playSender(tt.args()))
			conn, err := listener.Accept()
			require.NoError(t, err)
			defer conn.Close()
			got, err := io.ReadAll(conn)
			require.Len(t, got, int(tt.total()))
			require.Equal(t, tt.reset, err != nil, "ends by RST")
		})
	}
}

func TestSenderSendsDatagrams(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	s := sending{sends: 3, bytes: 5, network: "udp", to: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	require.NoError(t, playSender(s.args()))
	require.EqualValues(t, 5+6+7, s.total())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	for i := range s.sends {
		n, _, err := conn.ReadFrom(make([]byte, 100))
		require.NoError(t, err)
		require.Equal(t, s.bytes+i, n)
	}
}

func TestSenderSaysWhatItCannotDo(t *testing.T) {
	require.Error(t, playSender([]string{"-to", "somewhere"}))
	require.ErrorContains(t, playSender([]string{"-network", "morse"}), "no network")
	closed := sending{network: "tcp", sends: 1, bytes: 1, to: netip.MustParseAddrPort("127.0.0.1:1")}
	require.ErrorContains(t, playSender(closed.args()), "connect")
}
