package simulate

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSinkHoldsABoundedNumberOfConnections(t *testing.T) {
	sink := startSink(t, "tcp")
	var dialer net.Dialer
	for range maxConnections + 5 {
		conn, err := dialer.DialContext(t.Context(), "tcp", sink.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
	}
	require.Eventually(t, func() bool {
		got := sink.Totals()
		return got.Connections == maxConnections && got.Refused == 5
	}, 10*time.Second, time.Millisecond)
}

func TestSinkClosesItsConnectionsWhenDone(t *testing.T) {
	sink, err := Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sink.Run(ctx) }()
	conn, err := net.Dial("tcp", sink.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.Eventually(t, func() bool { return sink.Totals().Connections == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

func TestListenReportsATakenAddress(t *testing.T) {
	sink := startSink(t, "tcp")
	_, err := Listen(t.Context(), "tcp", sink.Addr().String())
	require.ErrorContains(t, err, "sink: listen tcp")
}
