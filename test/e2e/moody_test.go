package e2e

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

// mood is how a host treats what it should answer to its extension.
type mood int32

const (
	civil   mood = iota
	slow         // answers after longer than anybody waits
	rubbish      // answers with other bytes
	curt         // hangs up in the middle of an answer
)

// moody is a manager socket whose host misbehaves at will.
type moody struct {
	net.Listener
	mood  atomic.Int32
	ended context.Context
}

func (m *moody) set(to mood) { m.mood.Store(int32(to)) }

func (m *moody) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &moodyConn{conn, m}, nil
}

type moodyConn struct {
	net.Conn
	host *moody
}

func (c *moodyConn) Write(b []byte) (int, error) {
	switch mood(c.host.mood.Load()) {
	case slow:
		select {
		case <-c.host.ended.Done():
		case <-time.After(4 * time.Second): // the extension waits 3
		}
	case rubbish:
		noise := make([]byte, len(b))
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		return c.Conn.Write(noise)
	case curt:
		n, err := c.Conn.Write(b[:len(b)/2])
		c.Close()
		return n, err
	}
	return c.Conn.Write(b)
}

// TestExtensionBearsAHostThatMisbehaves goes through every mood, and each time the tables come back by themselves while
// the sensor watches on, the same process throughout.
func TestExtensionBearsAHostThatMisbehaves(t *testing.T) {
	t.Parallel()
	dir := room(t)
	host, err := hostConfig()
	require.NoError(t, err)
	inner, err := sqlhost.Listen(filepath.Join(dir, "em"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	manager := &moody{Listener: inner, ended: ctx}
	served := make(chan error, 1)
	go func() { served <- host.ServeListener(ctx, manager) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
		host.Close()
	})
	s := startSensor(t, quiet(t), dir, asExtension(inner.Addr().String())...)
	status := awaitTables(t, host)

	for m, name := range map[mood]string{slow: "answers slowly", rubbish: "sends rubbish", curt: "closes in the middle"} {
		t.Run(name, func(t *testing.T) {
			before := strings.Count(s.errors.String(), "not registered with osquery")
			manager.set(m)
			require.Eventually(t, func() bool {
				return strings.Count(s.errors.String(), "not registered with osquery") > before
			}, patience, 50*time.Millisecond, "it notices")
			samples := number(t, one(t, s, "SELECT samples FROM beacon_sensor_status"), "samples")
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.Greater(c, number(c, one(c, s, "SELECT samples FROM beacon_sensor_status"), "samples"), samples)
			}, patience, 50*time.Millisecond, "it watches on")
			manager.set(civil)
			again := awaitTables(t, host)
			require.Equal(t, status["pid"], again["pid"])
			require.Equal(t, status["start_time"], again["start_time"])
		})
	}

	t.Run("callers of its own socket misbehave", func(t *testing.T) {
		route := one(t, host, "SELECT path FROM osquery_extensions WHERE name = 'beaconwatch'")["path"]
		descriptors := openDescriptors(t, s.pid())
		call := []byte("\x80\x01\x00\x01\x00\x00\x00\x04call\x00\x00\x00\x01\x0b\x00\x01\x00\x00\x00\x05table") // cut off
		for range 50 {
			for _, message := range [][]byte{call, []byte("GET / HTTP/1.1\r\n\r\n"), {0xff, 0xff, 0xff, 0xff}, nil} {
				conn, err := net.Dial("unix", route)
				require.NoError(t, err)
				_, err = conn.Write(message)
				require.NoError(t, err)
				require.NoError(t, conn.Close())
			}
		}
		require.Equal(t, status["pid"], awaitTables(t, host)["pid"])
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.LessOrEqual(c, openDescriptors(c, s.pid()), descriptors+4, "connections are given back")
		}, patience, 50*time.Millisecond)
	})

	t.Run("nobody else may use its sockets", func(t *testing.T) {
		route := one(t, host, "SELECT path FROM osquery_extensions WHERE name = 'beaconwatch'")["path"]
		for _, path := range []string{route, s.socket} {
			require.NoError(t, shell.CheckSocket(path))
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Zero(t, info.Mode().Perm()&0o077, path)
		}
	})
	require.Zero(t, s.stop(t))
}

// openDescriptors counts the open descriptors of a process.
func openDescriptors(t require.TestingT, pid int) int {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	require.NoError(t, err)
	return len(entries)
}
