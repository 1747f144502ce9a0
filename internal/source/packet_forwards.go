package source

import (
	"bytes"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/netns"
)

// forwards reports whether packets of others may leave through a network namespace: it routes (ip-sysctl.rst: ip_forward,
// conf/all/forwarding) or has a port of a bridge. True if that cannot be told.
func forwards(ns int) bool {
	found := false
	err := netns.Do(ns, func() error {
		for _, name := range [...]string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
			text, err := os.ReadFile(name)
			found = found || err == nil && !bytes.HasPrefix(text, []byte("0"))
		}
		ports, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_BRIDGE)
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(ports)
		for _, m := range messages {
			found = found || m.Header.Type == unix.RTM_NEWLINK
		}
		return err
	})
	return found || err != nil
}
