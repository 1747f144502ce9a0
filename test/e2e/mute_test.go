package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// requireMute holds a sensor to its word that it neither listens on a port nor talks to anybody: of all sockets that it has open now,
// in whatever network namespace, none is of the Internet's families. Each is asked for its own (SO_DOMAIN, socket(7)).
func requireMute(t *testing.T, pid int) {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	defer unix.Close(process)
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	families := map[int]int{}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err != nil || !strings.HasPrefix(to, "socket:") {
			continue // or it is closed by now
		}
		number, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		socket, err := unix.PidfdGetfd(process, number, 0)
		if err == unix.EBADF {
			continue
		}
		require.NoError(t, err)
		family, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN)
		require.NoError(t, unix.Close(socket))
		if err == unix.ENOTSOCK {
			continue // the number is another's by now
		}
		require.NoError(t, err)
		families[family]++
	}
	require.Positive(t, families[unix.AF_UNIX], "those of SQL are among them")
	require.Positive(t, families[unix.AF_NETLINK], "and those that ask the kernel")
	delete(families, unix.AF_UNIX)
	delete(families, unix.AF_NETLINK)
	delete(families, unix.AF_PACKET) // which frames are received from
	require.Empty(t, families, "families of sockets, linux/socket.h")
}
