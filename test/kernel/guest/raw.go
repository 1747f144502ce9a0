package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// descriptor is a socket that package net does not know.
type descriptor int

// Close closes it.
func (d descriptor) Close() error { return unix.Close(int(d)) }

// listenRaw waits for SCTP associations or vsock connections, each to be accepted.
func listenRaw(network string, at netip.AddrPort) (descriptor, error) {
	if network == "sctp" {
		// the kernel would sign its cookies by a module that is not loaded
		err := os.WriteFile("/proc/sys/net/sctp/cookie_hmac_alg", []byte("none"), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return -1, err
		}
	}
	w := ways[network]
	fd, err := unix.Socket(w.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, w.protocol)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, w.address(at)); err != nil {
		return -1, fmt.Errorf("bind: %w", err)
	}
	return descriptor(fd), unix.Listen(fd, 64)
}

// drainRaw accepts until the machine is switched off: closing a socket does not end a call that waits on it.
func (r *receiver) drainRaw(listener descriptor) {
	for {
		fd, _, err := unix.Accept4(int(listener), unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED) {
			continue
		}
		if err != nil {
			return
		}
		go func() {
			defer unix.Close(fd)
			buffer := make([]byte, 64<<10)
			for {
				n, err := unix.Read(fd, buffer)
				if err != nil && !errors.Is(err, unix.EINTR) || n == 0 && err == nil {
					return
				}
				_, _ = r.Write(buffer[:max(n, 0)])
			}
		}()
	}
}
