package main

import (
	"fmt"
	"net"
	"runtime"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// server is where all traffic goes: an address of documentation, which the sensor takes for public.
const server = "198.51.100.7" // TEST-NET-2

// namespace is a network namespace, kept alive by a descriptor.
type namespace struct {
	fd    int
	inode string // as net_namespace has it
}

// network is three namespaces: the sensor's own, another one on the same host such as a container has, and the outside,
// which both reach by a veth(4) pair and where the server is.
type network struct{ host, container, outside namespace }

func layNetwork() (network, error) {
	var n network
	var err error
	if n.host, err = ownNamespace(); err != nil {
		return n, err
	}
	for _, ns := range []*namespace{&n.container, &n.outside} {
		if *ns, err = newNamespace(); err != nil {
			return n, err
		}
	}
	if err := n.outside.with(func(h *netlink.Handle) error { return addAddress(h, "lo", server+"/32") }); err != nil {
		return n, fmt.Errorf("outside: %w", err)
	}
	if err := join(n.host, n.outside, "10.9.0"); err != nil {
		return n, fmt.Errorf("host to outside: %w", err)
	}
	if err := join(n.container, n.outside, "10.9.1"); err != nil {
		return n, fmt.Errorf("container to outside: %w", err)
	}
	return n, nil
}

// join connects two namespaces by a pair named after the subnet, and makes right the default gateway of left.
func join(left, right namespace, subnet string) error {
	name := "veth" + subnet[len(subnet)-1:]
	gateway := net.ParseIP(subnet + ".2")
	err := left.with(func(h *netlink.Handle) error {
		pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: name, PeerNamespace: netlink.NsFd(right.fd)}
		pair.Name = name
		if err := h.LinkAdd(pair); err != nil {
			return fmt.Errorf("add %s: %w", name, err)
		}
		return addAddress(h, name, subnet+".1/24")
	})
	if err != nil {
		return err
	}
	if err := right.with(func(h *netlink.Handle) error { return addAddress(h, name, subnet+".2/24") }); err != nil {
		return err
	}
	return left.with(func(h *netlink.Handle) error { return h.RouteAdd(&netlink.Route{Gw: gateway}) })
}

// addAddress brings up the loopback and an interface, and gives that an address.
func addAddress(h *netlink.Handle, name, address string) error {
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	var link netlink.Link
	for _, up := range []string{"lo", name} {
		if link, err = h.LinkByName(up); err != nil {
			return fmt.Errorf("find %s: %w", up, err)
		}
		if err := h.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", up, err)
		}
	}
	if err := h.AddrAdd(link, addr); err != nil {
		return fmt.Errorf("add %s to %s: %w", address, name, err)
	}
	return nil
}

func ownNamespace() (namespace, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return namespace{}, fmt.Errorf("open the network namespace: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return namespace{}, fmt.Errorf("identify the network namespace: %w", err)
	}
	return namespace{fd, strconv.FormatUint(stat.Ino, 10)}, nil
}

// newNamespace makes a namespace with a loopback that is down.
func newNamespace() (made namespace, err error) {
	err = elsewhere(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() error {
		made, err = ownNamespace()
		return err
	})
	return made, err
}

// with calls f with a netlink handle of the namespace.
func (n namespace) with(f func(*netlink.Handle) error) error {
	return n.do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		return f(h)
	})
}

// do calls f on a thread in the namespace: sockets it makes and processes it starts are born there.
func (n namespace) do(f func() error) error {
	return elsewhere(func() error { return unix.Setns(n.fd, unix.CLONE_NEWNET) }, f)
}

// elsewhere has leave change this thread's namespace, calls f, and comes back. It may be the main thread, whose namespace
// others take for the process's: that is why it comes back.
func elsewhere(leave, f func() error) error {
	runtime.LockOSThread()
	home, err := ownNamespace()
	if err != nil {
		return err
	}
	defer unix.Close(home.fd)
	if err := leave(); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(home.fd, unix.CLONE_NEWNET); back != nil {
		panic(back) // the thread is lost in the namespace
	}
	runtime.UnlockOSThread()
	return err
}
