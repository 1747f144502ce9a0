package sqlhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketPath is the longest manager socket path: extensions append ".<uuid>", and sun_path holds 108 bytes (unix(7)).
const maxSocketPath = 97

var (
	// ErrSocketInUse is returned by Listen when a process answers at the path.
	ErrSocketInUse = errors.New("another process answers there")
	// ErrUnsafeSocket is returned by Listen for a place where others could replace the socket.
	ErrUnsafeSocket = errors.New("unsafe place for a socket")
)

// Listen makes a Unix socket with mode 0600 at path. A socket nobody answers on is removed first, and so are the sockets
// its extensions left; anything else at path is left alone and an error. The directory must exist, belong to root or to
// us, and be writable by no one else.
func Listen(path string) (net.Listener, error) {
	if err := checkPlace(path); err != nil {
		return nil, fmt.Errorf("sqlhost: listen on %s: %w", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("sqlhost: listen on %s: %w", path, err)
	}
	removeStaleExtensions(path)
	listen := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// bind(2) creates the file with the mode of the socket's own inode (unix_bind_bsd in net/unix/af_unix.c), so
		// the socket is never there with a wider mode, and the process's umask stays as it is.
		var err error
		if controlErr := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	listener, err := listen.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("sqlhost: %w", err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		listener.Close()
		return nil, fmt.Errorf("sqlhost: listen on %s: %w: its mode is not 0600", path, ErrUnsafeSocket)
	}
	return listener, nil
}

func checkPlace(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("%w: the path has %d characters, more than %d", ErrUnsafeSocket, len(path), maxSocketPath)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is not a directory", ErrUnsafeSocket, dir)
	}
	if owner, ok := ownerOf(info); !ok || owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%w: directory %s belongs to user %d", ErrUnsafeSocket, dir, owner)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("%w: others can write in directory %s (mode %04o)", ErrUnsafeSocket, dir, perm)
	}
	return nil
}

func ownerOf(info os.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(stat.Uid), true
}

// removeStale removes a socket at path that refuses connections.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%w: what is there is not a socket", ErrUnsafeSocket)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return ErrSocketInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// removeStaleExtensions removes the sockets <path>.<number> nobody answers on, which extensions of an earlier host left.
func removeStaleExtensions(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return // Listen has just looked at the directory
	}
	for _, entry := range entries {
		suffix, found := strings.CutPrefix(entry.Name(), filepath.Base(path)+".")
		if _, err := strconv.ParseUint(suffix, 10, 16); found && err == nil {
			_ = removeStale(filepath.Join(filepath.Dir(path), entry.Name())) // one that lives is not stale
		}
	}
}
