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
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// holdEnv makes this test binary a holder of that many sockets.
const holdEnv = "BEACONWATCH_HOLD_SOCKETS"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(holdEnv)); err == nil {
		if err := hold(n); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// skip skips a test that needs what this machine does not give, unless that must not happen.
func skip(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("BEACONWATCH_REQUIRE_ALL") == "1" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

// openSockets has another process open n/2 connections over loopback, which are n sockets, for the time of the test.
func openSockets(tb testing.TB, n int) {
	tb.Helper()
	var limit unix.Rlimit
	require.NoError(tb, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if limit.Max < uint64(n)+100 {
		skip(tb, "%d sockets need as many descriptors, the limit is %d", n, limit.Max)
	}
	self, err := os.Executable()
	require.NoError(tb, err)
	holder := exec.Command(self)
	holder.Env = append(os.Environ(), holdEnv+"="+strconv.Itoa(n))
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

// hold opens n sockets, says ready and holds them until its standard input ends.
func hold(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	for held := 0; held < n; {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		for range min((n-held)/2, 1000) {
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
			held += 2
		}
		l.Close()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
