package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errLocked says that another sensor of this state directory is running.
var errLocked = errors.New("another sensor holds the lock")

// lockFile is the lock of a state directory.
const lockFile = "lock"

// lockState makes dir and takes the lock of the one sensor it may have. The lock ends with the process, however that
// ends. errLocked is returned if somebody else has it. Where nothing can be written the file is locked as it is, or else dir: a sensor
// is worth having without its state.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if cannotWrite(err) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = os.Open(dir)
		}
	}
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

// cannotWrite reports whether err says that a file system is full or read-only.
func cannotWrite(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// announce writes into the lock where its holder, who calls it, serves SQL, for whoever finds it taken.
func announce(dir, socket string) error {
	if err := os.WriteFile(filepath.Join(dir, lockFile), []byte(socket+"\n"), 0o600); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

// announced is where the holder of the lock serves SQL, otherwise if it has not said so.
func announced(dir, otherwise string) string {
	f, err := os.Open(filepath.Join(dir, lockFile))
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
