package shell

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

var (
	// ErrNoSocket is returned where there is nothing to talk to.
	ErrNoSocket = errors.New("no osquery there")
	// ErrForeignSocket is returned for a socket that belongs to someone else.
	ErrForeignSocket = errors.New("socket of another user")
)

// CheckSocket says in one sentence why path is not a socket to trust: it is missing, is no socket, or belongs neither to
// root nor to us, so that whoever made it would get our statements and could answer anything.
func CheckSocket(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: there is no socket %s", ErrNoSocket, path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission to reach %s: %w", path, err)
	case err != nil:
		return fmt.Errorf("socket: %w", err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%w: %s is not a socket", ErrNoSocket, path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%w: the owner of %s is unknown", ErrForeignSocket, path)
	}
	if owner := int(stat.Uid); owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d, not to root or user %d", ErrForeignSocket, path, owner, os.Geteuid())
	}
	return nil
}

// describeDial words the usual failures to connect.
func describeDial(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nobody answers at %s", ErrNoSocket, path)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("no permission to use %s: %w", path, err)
	}
	return fmt.Errorf("connect to %s: %w", path, err)
}
