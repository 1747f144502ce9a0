// Package packet watches the packets of one network namespace through AF_PACKET (packet(7)): the SYN of each connection opened
// from here, and the size and ends of each UDP datagram either way. A classic BPF program in the kernel drops all else and all
// payload before it is copied. It knows no processes and keeps no state about pairs. A socket opened for it gets the messages of
// the Domain Name System instead, whole.
//
// It sees what crosses an interface: not what a firewall drops on the way out, and not the second and further fragments of a
// datagram, whose size the first one states. IPv6 packets with extension headers are passed over.
package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/netns"
	"github.com/beaconwatch/beaconwatch/internal/socket"
)

// snap is how much of a packet is copied: the largest IPv4 header and a TCP header, more than IPv6 needs.
const snap = 80

// Want is a set of packets.
type Want uint8

// SYNs are the first packets of TCP connections opened from here, Datagrams UDP either way. Names are questions that leave for
// UDP port 53 and answers that come from there; it excludes the others, and only NextDNS reads them.
const (
	SYNs Want = 1 << iota
	Datagrams
	Names
)

// Config says where to listen. The zero Config is the caller's own network namespace.
type Config struct {
	// Want is what passes the filter, default everything.
	Want Want
	// NetNS is an open descriptor of the network namespace to listen in (setns(2)), 0 for the caller's own. It is only used
	// while opening and may be closed afterwards.
	NetNS int
	// ReceiveBuffer is the size in bytes of the receive buffer, default 4 MiB; beyond net.core.rmem_max it needs
	// CAP_NET_ADMIN.
	ReceiveBuffer int
}

// Packet is one packet. Outgoing is seen from this host; Local is its own end. A packet over loopback is seen twice, once
// outgoing and once incoming, as by its two ends; a SYN only outgoing.
type Packet struct {
	Protocol      uint8 // TCP (a SYN) or UDP
	Outgoing      bool
	Interface     uint32
	Local, Remote netip.AddrPort
	Size          uint32 // UDP payload; segments to be (UDP_SEGMENT) together
	// At is when the packet passed, in nanoseconds on CLOCK_BOOTTIME, as the kernel noted it (SO_TIMESTAMPNS, socket(7)): wrong by
	// as much as the clock was set since. If the kernel did not, it is when the packet was received.
	At int64
}

// Conn is an open packet socket. Only Interrupt may be called concurrently with other methods.
type Conn struct {
	*socket.Waiter
	fd        int
	batch     batch
	one       *slot // the packet last taken
	drops     uint64
	malformed uint64
}

// Open opens a packet socket, which takes CAP_NET_RAW. Errors wrap the kernel's syscall.Errno.
func Open(cfg Config) (*Conn, error) {
	if cfg.ReceiveBuffer == 0 {
		cfg.ReceiveBuffer = 4 << 20
	}
	if cfg.Want == 0 {
		cfg.Want = SYNs | Datagrams
	}
	program, count, size := filter(cfg.Want), batchSize, snap
	if cfg.Want&Names != 0 {
		if cfg.Want != Names {
			return nil, errors.New("packet: names can only be had alone")
		}
		program, count, size = dnsFilter(), 1, dnsSnap
	}
	var fd int
	err := netns.Do(cfg.NetNS, func() (err error) {
		// with no protocol nothing arrives before the filter is there
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("packet: open: %w", err)
	}
	waiter, err := socket.NewWaiter(fd, "packet")
	if err != nil {
		return nil, err
	}
	c := &Conn{Waiter: waiter, fd: fd, batch: newBatch(count, size)}
	if err := c.listen(cfg, program); err != nil {
		return nil, errors.Join(fmt.Errorf("packet: open: %w", err), waiter.Close())
	}
	return c, nil
}

func (c *Conn) listen(cfg Config, program []bpf.Instruction) error {
	socket.SetReceiveBuffer(c.fd, cfg.ReceiveBuffer)
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return err
	}
	if err := socket.Filter(c.fd, program); err != nil {
		return err
	}
	return unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL)})
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// Next decodes the next packet that is already there into p and reports whether there was one; it never blocks and does not
// allocate.
func (c *Conn) Next(p *Packet) (bool, error) {
	for {
		b, err := c.receive()
		if b == nil || err != nil {
			return false, err
		}
		if p.decode(b, c.outgoing()) {
			p.Interface, p.At = uint32(c.one.from.Ifindex), c.batch.boot-int64(c.one.waited(c.batch.at))
			return true, nil
		}
		c.malformed++
	}
}

// receive returns the next packet that is already there, nil if there is none. It is valid until the next call.
func (c *Conn) receive() ([]byte, error) {
	for {
		if c.one = c.batch.take(); c.one != nil {
			return c.one.bytes(), nil
		}
		if n, err := c.batch.receive(c.fd); n == 0 {
			return nil, err
		}
	}
}

// outgoing reports whether the packet just received leaves this host.
func (c *Conn) outgoing() bool { return c.one.from.Pkttype == unix.PACKET_OUTGOING }

// Drops returns how many packets found the receive buffer full (PACKET_STATISTICS).
func (c *Conn) Drops() (uint64, error) {
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS) // and sets them to zero
	if err != nil {
		return c.drops, fmt.Errorf("packet: statistics: %w", err)
	}
	c.drops += uint64(stats.Drops)
	return c.drops, nil
}

// Malformed returns how many packets could not be decoded.
func (c *Conn) Malformed() uint64 { return c.malformed }
