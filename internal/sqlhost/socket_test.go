package sqlhost

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func TestListenMakesAPrivateSocket(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(privateDir(t), "s")
	listener, err := Listen(path)
	require.NoError(t, err)
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode(), "whatever the umask")
	require.NoError(t, listener.Close())
	require.NoFileExists(t, path)
}

func TestListenRefusesUnsafePlaces(t *testing.T) {
	dir := privateDir(t)
	open := filepath.Join(dir, "open")
	require.NoError(t, os.Mkdir(open, 0o700))
	require.NoError(t, os.Chmod(open, 0o770))
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	long := filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir)))
	for name, test := range map[string]struct{ path, want string }{
		"path too long":                 {long, "unsafe place for a socket: the path has 98 characters, more than 97"},
		"a directory others write":      {filepath.Join(open, "s"), "unsafe place for a socket: others can write in directory " + open + " (mode 0770)"},
		"sticky is no excuse":           {"/tmp/s", "unsafe place for a socket: others can write in directory /tmp (mode 0777)"},
		"no directory":                  {filepath.Join(dir, "none", "s"), "stat " + filepath.Join(dir, "none") + ": no such file or directory"},
		"a file in the way":             {file, "unsafe place for a socket: what is there is not a socket"},
		"a file instead of a directory": {filepath.Join(file, "s"), "unsafe place for a socket: " + file + " is not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Listen(test.path)
			require.EqualError(t, err, "sqlhost: listen on "+test.path+": "+test.want)
			h := newHost(t, Config{})
			require.EqualError(t, h.Serve(t.Context(), test.path), err.Error())
		})
	}
	listener, err := Listen(long[:maxSocketPath])
	require.NoError(t, err, "97 characters are allowed")
	listener.Close()
}

func TestListenRefusesAForeignDirectory(t *testing.T) {
	need.Root(t)
	dir := privateDir(t)
	require.NoError(t, os.Chown(dir, 12345, 0))
	_, err := Listen(filepath.Join(dir, "s"))
	require.ErrorIs(t, err, ErrUnsafeSocket)
	require.ErrorContains(t, err, "belongs to user 12345")
}

func TestListenRemovesOnlyWhatIsStale(t *testing.T) {
	path := filepath.Join(privateDir(t), "s")
	leave := func(path string) { // a socket file without a listener
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		require.NoError(t, err)
		l.SetUnlinkOnClose(false)
		require.NoError(t, l.Close())
	}
	leave(path)
	leave(path + ".123")
	leave(path + ".backup")
	require.NoError(t, os.WriteFile(path+".7", nil, 0o600))
	alive, err := net.Listen("unix", path+".456")
	require.NoError(t, err)
	defer alive.Close()

	listener, err := Listen(path)
	require.NoError(t, err)
	defer listener.Close()
	require.ElementsMatch(t, []string{path, path + ".7", path + ".456", path + ".backup"}, mustGlob(t, path+"*"))

	_, err = Listen(path)
	require.ErrorIs(t, err, ErrSocketInUse)
	conn, err := net.Dial("unix", path)
	require.NoError(t, err, "the one in use is left alone")
	conn.Close()
}

func TestServeEndsWithItsContext(t *testing.T) {
	h := newHost(t, Config{})
	path := filepath.Join(privateDir(t), "s")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, path) }()
	require.Eventually(t, func() bool {
		return query(t, h, "SELECT extensions FROM osquery_info")[0][0] == "active"
	}, waitLimit, waitStep)
	require.Equal(t, [][]string{{path}}, query(t, h, "SELECT path FROM osquery_extensions"))
	cancel()
	require.NoError(t, <-done)
	require.NoFileExists(t, path)
	require.Equal(t, "inactive", query(t, h, "SELECT extensions FROM osquery_info")[0][0])
}
