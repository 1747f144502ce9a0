// Package dump_test compares one complete reading of the host's TCP sockets with what else a Go program could use, on real
// connections over loopback which another process holds, as is the sensor's lot.
package dump_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// holdEnv makes this test binary a holder of that many sockets, of which so many send at a distance.
const holdEnv = "BEACONWATCH_HOLD_SOCKETS"

// crowd is n sockets, the two ends of connections over loopback. On the first active connections their openers send a byte
// every so often, one after the other.
type crowd struct {
	n, active int
	every     time.Duration
}

func TestMain(m *testing.M) {
	var c crowd
	var every int64
	if n, err := fmt.Sscan(os.Getenv(holdEnv), &c.n, &c.active, &every); n == 3 && err == nil {
		c.every = time.Duration(every)
		if err := c.hold(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// openSockets has another process open n/2 connections over loopback, which are n sockets, for the time of the test.
func openSockets(tb testing.TB, n int) { crowd{n: n}.open(tb) }

// open has another process be the crowd for the time of the test.
func (c crowd) open(tb testing.TB) {
	tb.Helper()
	var limit unix.Rlimit
	require.NoError(tb, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if limit.Max < uint64(c.n)+100 {
		need.Skip(tb, "%d sockets need as many descriptors, the limit is %d", c.n, limit.Max)
	}
	self, err := os.Executable()
	require.NoError(tb, err)
	holder := exec.Command(self)
	holder.Env = append(os.Environ(), fmt.Sprint(holdEnv, "=", c.n, " ", c.active, " ", int64(c.every)))
	stop, err := holder.StdinPipe()
	require.NoError(tb, err)
	out, err := holder.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, holder.Start())
	tb.Cleanup(func() {
		stop.Close()
		require.NoError(tb, holder.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(tb, err)
	require.Equal(tb, "ready\n", line)
}

// hold opens the sockets, says ready and holds them until its standard input ends.
func (c crowd) hold() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var openers []net.Conn
	for held := 0; held < c.n; {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		for range min((c.n-held)/2, 1000) {
			near, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				return err
			}
			far, err := l.Accept()
			if err != nil {
				return err
			}
			// a reset leaves nothing behind in TIME_WAIT for the measurement after this one
			defer far.Close()
			defer near.Close()
			if err := near.(*net.TCPConn).SetLinger(0); err != nil {
				return err
			}
			openers = append(openers, near)
			held += 2
		}
		l.Close()
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	fmt.Println("ready")
	if c.active == 0 {
		return <-ended
	}
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		for _, near := range openers[:c.active] {
			if _, err := near.Write([]byte{0}); err != nil {
				return err
			}
		}
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
	}
}
