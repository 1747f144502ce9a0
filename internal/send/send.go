// Package send is the vocabulary of the sensor: what was sent, on which socket, to whom, when and how surely. It holds
// facts only; who sent it is the business of attribution, what it means that of beacon and inventory.
package send

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
)

// Protocol is an IP protocol number (IANA, linux/in.h).
type Protocol uint8

// The protocols a source can report.
const (
	ICMP    Protocol = syscall.IPPROTO_ICMP
	TCP     Protocol = syscall.IPPROTO_TCP
	UDP     Protocol = syscall.IPPROTO_UDP
	ICMPv6  Protocol = syscall.IPPROTO_ICMPV6
	SCTP    Protocol = 132
	UDPLite Protocol = 136
	Raw     Protocol = 255
)

// String returns the lower-case name used in rows and rules.
func (p Protocol) String() string {
	switch p {
	case ICMP:
		return "icmp"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case ICMPv6:
		return "icmpv6"
	case SCTP:
		return "sctp"
	case UDPLite:
		return "udplite"
	case Raw:
		return "raw"
	}
	return fmt.Sprintf("ip%d", uint8(p))
}

// Kind says what happened on the socket.
type Kind uint8

// Open is a connection made (or a UDP socket given a peer), Data payload bytes sent, Close the end of the socket with its
// last bytes if any are still unreported, Failed a connection attempt that never succeeded.
const (
	Open Kind = iota
	Data
	Close
	Failed
)

// String returns the lower-case name.
func (k Kind) String() string {
	switch k {
	case Open:
		return "open"
	case Data:
		return "data"
	case Close:
		return "close"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Quality says how a source knows size and time, best first.
type Quality uint8

// Exact: each send seen by itself. Jiffy: time from tcpi_last_data_sent, right to one jiffy. Aggregated: several sends
// may be folded into one report. Inferred: deduced from states, without byte counters.
const (
	Exact Quality = iota
	Jiffy
	Aggregated
	Inferred
)

// String returns the lower-case name.
func (q Quality) String() string {
	switch q {
	case Exact:
		return "exact"
	case Jiffy:
		return "jiffy"
	case Aggregated:
		return "aggregated"
	case Inferred:
		return "inferred"
	}
	return "unknown"
}

// Socket identifies one socket of the host. Cookie is the kernel's (SO_COOKIE, idiag_cookie) and the only key to join on;
// a source without cookies leaves it 0. Inode is that of /proc/PID/fd (0 once the process has closed it), NetNS the inode
// of its network namespace (0 = the sensor's own). IPv4-mapped IPv6 addresses are stored as IPv4.
type Socket struct {
	Cookie   uint64
	Inode    uint64
	NetNS    uint64
	UID      uint32
	Protocol Protocol
	Local    netip.AddrPort
	Remote   netip.AddrPort
}

// UnknownUID is the UID of a socket whose owner the kernel no longer told, its own invalid UID (include/linux/uidgid.h).
const UnknownUID = ^uint32(0)

// Send is outbound payload seen on a socket. It happened in (At−Within, At]. Bytes counts payload sent, retransmissions
// excluded; Received counts payload received since the previous report of this socket. Sends estimates how many send
// calls are folded in (0 = unknown).
type Send struct {
	Socket   Socket
	Kind     Kind
	At       boottime.Time
	Within   time.Duration
	Bytes    uint64
	Received uint64
	Errno    syscall.Errno
	Sender   int32
	Sends    uint32
	Quality  Quality
}

// Destination is where a send goes: the far half of a pair. Raw and ICMP destinations have port 0.
type Destination struct {
	Protocol Protocol
	Remote   netip.AddrPort
}

// Destination returns the destination of the socket.
func (s Socket) Destination() Destination {
	return Destination{Protocol: s.Protocol, Remote: s.Remote}
}

// String renders a destination as protocol://address:port.
func (d Destination) String() string { return d.Protocol.String() + "://" + d.Remote.String() }
