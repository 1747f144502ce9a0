package coverage

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ifreqAddress is struct ifreq of linux/if.h with a sockaddr_in in its union.
type ifreqAddress struct {
	name   [unix.IFNAMSIZ]byte
	family uint16
	port   uint16
	addr   [4]byte
	rest   [16]byte
}

// ifreqFlags is struct ifreq with its flags.
type ifreqFlags struct {
	name  [unix.IFNAMSIZ]byte
	flags uint16
	rest  [22]byte
}

// ownAddresses brings the loopback interface of this network namespace up and gives it addresses, netdevice(7). It is meant
// for a namespace that nobody else is in.
func ownAddresses(addrs []netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	defer unix.Close(fd)
	up := ifreqFlags{flags: unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING}
	copy(up.name[:], "lo")
	if err := ioctl(fd, unix.SIOCSIFFLAGS, unsafe.Pointer(&up)); err != nil {
		return fmt.Errorf("coverage: bring lo up: %w", err)
	}
	for i, a := range addrs {
		set := ifreqAddress{family: unix.AF_INET, addr: a.As4()}
		copy(set.name[:], fmt.Sprintf("lo:%d", i+1))
		if err := ioctl(fd, unix.SIOCSIFADDR, unsafe.Pointer(&set)); err != nil {
			return fmt.Errorf("coverage: give lo the address %s: %w", a, err)
		}
	}
	return nil
}

func ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
