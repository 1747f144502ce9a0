package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

const multipathSends, multipathSize = 3, 1234

// playMultipath sends by one MPTCP connection.
func playMultipath() error {
	var address string
	if err := json.NewDecoder(os.Stdin).Decode(&address); err != nil {
		return err
	}
	var d net.Dialer
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", address)
	if err != nil {
		return err
	}
	for range multipathSends {
		if _, err := c.Write(make([]byte, multipathSize)); err != nil {
			return err
		}
	}
	if multipath, err := c.(*net.TCPConn).MultipathTCP(); err != nil || !multipath {
		_, _ = os.Stdout.WriteString("plain TCP\n")
	}
	return c.Close()
}

// multipathSink reads MPTCP connections to their end until the test does.
func multipathSink(t *testing.T, where *namespace) string {
	t.Helper()
	var listener net.Listener
	var err error
	where.do(t, func() {
		var cfg net.ListenConfig
		cfg.SetMultipathTCP(true)
		listener, err = cfg.Listen(context.Background(), "tcp", net.JoinHostPort(public4, "0"))
	})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

// TestMPTCPIsCountedOnce: an MPTCP connection is a socket above TCP sockets. Its bytes are those of either, not of both.
func TestMPTCPIsCountedOnce(t *testing.T) {
	for _, level := range []string{"L0", "L2", "L3"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			host, outside := network(t)
			s := sensorAt(t, host, level)
			a := newActor(t, host, "multipath")
			to := multipathSink(t, outside)
			c := a.play(t, "multipath", to)
			a.finish(t, patience)
			if contains(c.out, "plain TCP") {
				need.Skip(t, "this kernel does not speak MPTCP")
			}
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				row := one(c, s, "SELECT sum(bytes_sent) AS bytes, sum(connections) AS n FROM process_outbound_stats WHERE remote_port = "+portOf(t, to))
				require.EqualValues(c, multipathSends*multipathSize, number(c, row, "bytes"))
				require.EqualValues(c, 1, number(c, row, "n"))
			}, patience, 100*time.Millisecond)
		})
	}
}
