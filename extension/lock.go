package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errLocked says that another sensor of this state directory is running.
var errLocked = errors.New("another sensor holds the lock")

// lockState makes dir and takes the lock of the one sensor it may have. The lock ends with the process, however that
// ends. errLocked is returned if somebody else has it.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("state directory: lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// announce writes into the lock where its holder serves SQL, for whoever finds it taken.
func announce(lock *os.File, socket string) error {
	err := lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(socket+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

// announced is where the holder of the lock serves SQL, otherwise if it has not said so.
func announced(dir, otherwise string) string {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return otherwise
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, unix.PathMax))
	socket := strings.TrimSuffix(string(text), "\n")
	if err != nil || !filepath.IsAbs(socket) {
		return otherwise
	}
	return socket
}
