// Package netns makes a call inside another network namespace (network_namespaces(7)): a socket or file opened there stays
// there. It does not find namespaces and keeps none.
package netns

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do calls f with the thread in the network namespace open at descriptor ns, and brings the thread back; 0 is where the thread
// is already. Entering takes CAP_SYS_ADMIN; errors wrap the kernel's syscall.Errno.
func Do(ns int, f func() error) error {
	if ns == 0 {
		return f()
	}
	runtime.LockOSThread()
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("own network namespace: %w", err)
	}
	defer unix.Close(own)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		// the thread is lost to this namespace: left locked, it ends with its goroutine and serves nobody else
		return fmt.Errorf("leave network namespace: %w", back)
	}
	runtime.UnlockOSThread()
	return err
}
