package bpf

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Kind says what an Event tells.
type Kind uint32

// Opened: a TCP connection opened by this host is established. Sent: a send call, and the totals of its stream. Closed: a TCP
// socket opened by this host reached CLOSE, connected or not. Totals: the totals of a stream, read by Flush. Forgotten: the
// last totals of a stream that was idle or whose connection closed; its number may come again, for another stream.
const (
	Opened Kind = 1 + iota
	Sent
	Closed
	Totals
	Forgotten
)

// TCP states (enum in include/net/tcp_states.h).
const (
	established = 1
	synSent     = 2
	synReceived = 3
	closed      = 7
)

// Flags of a record.
const (
	flagBound     = 1 << iota // the program chose the local port
	flagUntracked             // there was no slot for the stream: the record stands for its one send
	flagMPTCP                 // a subflow of an MPTCP connection
	flagPeeked                // the peer was read from the memory of the program
)

// A record is what the programs keep of a socket (in its storage) and of a stream (in its slot), and what they put on the ring
// of a connection: one layout for all, so that putting it there is one copy. The first cache line is all that most sends
// touch. Offsets in bytes:
const (
	atKey        = 0  // the key of a stream begins
	atPID        = 0  // u32
	atFamily     = 4  // u16
	atRemotePort = 6  // u16, network order
	atCookie     = 8  // u64; 0 in a slot nobody uses
	atRemote     = 16 // 16 bytes, network order, IPv4 in the first 4
	keySize      = 32
	atBytes      = 32  // u64, of the stream
	atSends      = 40  // u64, of the stream
	atTicks      = 48  // u64, jiffies at the last send
	atReported   = 56  // u64, jiffies at the last report
	atTime       = 64  // u64, CLOCK_BOOTTIME; of a stream: of the last report
	atBorn       = 72  // u64, when the stream began
	atKind       = 80  // u32
	atSlot       = 84  // u32; of a socket: that of a stream it had lately; 0 is none
	atNetNS      = 88  // u32, inode
	atUID        = 92  // u32
	atErrno      = 96  // u32
	atRetrans    = 100 // u32
	atLocal      = 104 // 16 bytes
	atLocalPort  = 120 // u16, host order
	atProtocol   = 122 // u16
	atFlags      = 124 // u16
	atState      = 126 // u16, before CLOSE
	atCgroup     = 128 // u64
	atStart      = 136 // u64, of the process, CLOCK_BOOTTIME
	atComm       = 144 // 16 bytes
	atOpened     = 160 // u64; of a stream: atFirstWas
	atSize       = 168 // u64; at CLOSE bytes_sent − bytes_retrans
	atReceived   = 176 // u64
	atPrevious   = 184 // u64, time of the report before
	recordSize   = 192
)

// A report is what the ring carries of a send: the rest is in the slot of its stream.
const (
	reportKind     = 0  // u32
	reportSlot     = 4  // u32
	reportBorn     = 8  // u64
	reportTime     = 16 // u64
	reportBytes    = 24 // u64, of the stream
	reportSends    = 32 // u64, of the stream
	reportLength   = 40 // u64, of this send
	reportPrevious = 48 // u64, time of the report before
	reportTicks    = 56 // u64, jiffies from there to the send before this one
	reportSize     = 64
)

// Owner is the process whose thread made a call, as the kernel knows it.
type Owner struct {
	PID int32
	UID uint32
	// Cgroup is the id of the cgroup (v2), Start when the process began, in nanoseconds on CLOCK_BOOTTIME: /proc/PID/stat has
	// it in clock ticks.
	Cgroup uint64
	Start  int64
	Comm   [16]byte
}

// Event is one record. Times are nanoseconds on CLOCK_BOOTTIME. A stream is what one process sends through one socket to one
// peer; its totals grow until Forgotten.
type Event struct {
	Kind Kind
	// Stream is the number of the stream (Sent, Totals, Forgotten; at Closed that of the opener's), in [1, MaxStreams]; 0 is
	// none. It is the stream's own until Forgotten.
	Stream   uint32
	Cookie   uint64
	NetNS    uint32 // inode
	Protocol uint8  // IP protocol number; MPTCP counts as TCP
	Local    netip.AddrPort
	// Remote is not valid if the peer of an unconnected socket is not known. IPv4-mapped addresses are given as IPv4; protocols
	// without ports have 0.
	Remote netip.AddrPort
	// Owner called connect (Opened, Closed) or sent (Sent, Totals, Forgotten).
	Owner Owner
	// At is when it was; of Totals and Forgotten the last send, at most two jiffies late.
	At int64
	// ConnectAt is when connect was called (Opened, Closed).
	ConnectAt int64
	// Bytes and Sends are the totals of the stream including this send; at Closed those of the opener's stream. Previous
	// is when the send before this one was at the latest (0 = none); at Closed when the last send was.
	Bytes, Sends uint64
	Previous     int64
	// Size is the size of this send; at Closed bytes_sent − bytes_retrans of the connection. Received is what it received, as
	// tcpi_bytes_received has it: the peer's FIN counts as a byte.
	Size, Received uint64
	// Connected is false for a connection attempt that failed (Closed), Errno why: 0 if the program gave up.
	Connected   bool
	Errno       syscall.Errno
	Retransmits uint32
	// Bound: the program chose the local port. Untracked: there was no slot for the stream, Bytes and Sends are of this
	// send alone. MPTCP: the connection is a subflow; its payload is counted by the sends on its MPTCP socket.
	Bound, Untracked, MPTCP bool
	// Peeked: there is no cgroup/sendmsg program, or none for the protocol, and Remote was read from the memory of the program
	// after the call, where its threads can change it.
	Peeked bool
	// First is whose the first datagram between this socket and the peer was (Sent, Totals, Forgotten).
	First First
}

// decode fills e from a record, all but what depends on the tick. It is false for what no program of ours makes.
func (e *Event) decode(b []byte) bool {
	if len(b) < recordSize {
		return false
	}
	b = b[:recordSize]
	u16 := func(at int) uint16 { return binary.NativeEndian.Uint16(b[at:]) }
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	kind, family, protocol, flags := Kind(u32(atKind)), u16(atFamily), u16(atProtocol), u16(atFlags)
	if kind < Opened || kind > Closed || (family != unix.AF_INET && family != unix.AF_INET6) {
		return false
	}
	if protocol == unix.IPPROTO_MPTCP {
		protocol = unix.IPPROTO_TCP
	}
	if protocol > 255 {
		return false
	}
	e.Kind, e.Stream, e.Cookie, e.NetNS, e.Protocol = kind, u32(atSlot), u64(atCookie), u32(atNetNS), uint8(protocol)
	e.Local = netip.AddrPortFrom(address(family, b[atLocal:]), u16(atLocalPort))
	e.Remote = netip.AddrPortFrom(address(family, b[atRemote:]), binary.BigEndian.Uint16(b[atRemotePort:]))
	if !hasPorts(protocol) {
		e.Remote = netip.AddrPortFrom(e.Remote.Addr(), 0)
	}
	if e.Remote.Addr().IsUnspecified() && e.Remote.Port() == 0 {
		e.Remote = netip.AddrPort{}
	}
	e.Owner = Owner{PID: int32(u32(atPID)), UID: u32(atUID), Cgroup: u64(atCgroup), Start: int64(u64(atStart)),
		Comm: [16]byte(b[atComm:])}
	e.At, e.ConnectAt, e.Previous = int64(u64(atTime)), int64(u64(atOpened)), int64(u64(atPrevious))
	e.Bytes, e.Sends, e.Size, e.Received = u64(atBytes), u64(atSends), u64(atSize), u64(atReceived)
	e.Errno, e.Retransmits = syscall.Errno(u32(atErrno)), u32(atRetrans)
	state := u16(atState)
	e.Connected = kind == Opened || (kind == Closed && state != synSent && state != synReceived)
	e.Bound, e.Untracked, e.MPTCP = flags&flagBound != 0, flags&flagUntracked != 0, flags&flagMPTCP != 0
	e.Peeked, e.First = flags&flagPeeked != 0, NotAsked
	return true
}

func hasPorts(protocol uint16) bool {
	switch protocol {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE, unix.IPPROTO_SCTP, unix.IPPROTO_DCCP:
		return true
	}
	return false
}

func address(family uint16, b []byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}
