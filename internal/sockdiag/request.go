package sockdiag

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// State is a TCP state as the kernel numbers it (include/net/tcp_states.h).
type State uint8

// The states sock_diag reports. NewSynReceived is a connection request that has no full socket yet.
const (
	Established    State = 1
	SynSent        State = 2
	SynReceived    State = 3
	FinWait1       State = 4
	FinWait2       State = 5
	TimeWait       State = 6
	Closed         State = 7
	CloseWait      State = 8
	LastAck        State = 9
	Listen         State = 10
	Closing        State = 11
	NewSynReceived State = 12
)

// States is a set of states to report, one bit each.
type States uint32

// Listening is the walk over listeners alone, which leaves out the large table of connections. Connections leaves out
// LISTEN, TIME_WAIT (neither has a tcp_info) and sockets merely bound. UDPSockets are connected and unconnected ones:
// UDP borrows ESTABLISHED and CLOSE for them.
const (
	Listening   States = 1 << Listen
	Connections States = 1<<Established | 1<<SynSent | 1<<SynReceived | 1<<FinWait1 | 1<<FinWait2 | 1<<CloseWait |
		1<<LastAck | 1<<Closing | 1<<NewSynReceived
	UDPSockets States = 1<<Established | 1<<Closed
)

const (
	legacyTCP     = 18 // TCPDIAG_GETSOCK (linux/inet_diag.h): the only request that walks IPv4 and IPv6 in one go
	byFamily      = 20 // SOCK_DIAG_BY_FAMILY (linux/sock_diag.h)
	attributeInfo = 2  // INET_DIAG_INFO: for TCP a struct tcp_info
	wantInfo      = 1 << (attributeInfo - 1)

	sockidSize   = 48                              // struct inet_diag_sockid
	legacySize   = headerSize + 4 + sockidSize + 8 // struct inet_diag_req
	byFamilySize = headerSize + 8 + sockidSize     // struct inet_diag_req_v2
	getSize      = byFamilySize
)

// AnyCookie in a Query matches whatever socket has the ends (INET_DIAG_NOCOOKIE).
const AnyCookie = ^uint64(0)

// Query names one TCP socket for an exact read. Interface must be the one the socket is bound to; for a socket that is bound to
// none it does not matter.
type Query struct {
	Local, Remote netip.AddrPort
	Interface     uint32
	Cookie        uint64
	// Bare asks for no tcp_info, for which the kernel would wait until nobody else is at the socket (lock_sock_fast).
	Bare bool
}

func appendHeader(b []byte, length int, kind, flags uint16, seq uint32) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(length))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, seq)
	return binary.NativeEndian.AppendUint32(b, 0) // our port: the kernel fills it in
}

// appendTCPDump appends the request for one walk over all TCP sockets of both families.
func appendTCPDump(b []byte, states States, seq uint32) []byte {
	b = appendHeader(b, legacySize, legacyTCP, unix.NLM_F_DUMP, seq)
	b = append(b, unix.AF_UNSPEC, 0, 0, wantInfo)
	b = append(b, make([]byte, sockidSize)...)
	b = binary.NativeEndian.AppendUint32(b, uint32(states))
	return binary.NativeEndian.AppendUint32(b, 0)
}

// appendFamilyDump appends the request for a walk over the sockets of one family and protocol.
func appendFamilyDump(b []byte, family, protocol uint8, states States, seq uint32) []byte {
	b = appendHeader(b, byFamilySize, byFamily, unix.NLM_F_DUMP, seq)
	b = append(b, family, protocol, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(states))
	return append(b, make([]byte, sockidSize)...)
}

// appendGet appends the request for the one TCP socket q names.
func appendGet(b []byte, q Query, seq uint32) []byte {
	family := uint8(unix.AF_INET)
	if q.Local.Addr().Is6() {
		family = unix.AF_INET6
	}
	extension := uint8(wantInfo)
	if q.Bare {
		extension = 0
	}
	b = appendHeader(b, getSize, byFamily, 0, seq)
	b = append(b, family, unix.IPPROTO_TCP, extension, 0)
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0))
	b = binary.BigEndian.AppendUint16(b, q.Local.Port())
	b = binary.BigEndian.AppendUint16(b, q.Remote.Port())
	b = appendAddr(b, q.Local.Addr())
	b = appendAddr(b, q.Remote.Addr())
	b = binary.NativeEndian.AppendUint32(b, q.Interface)
	b = binary.NativeEndian.AppendUint32(b, uint32(q.Cookie))
	return binary.NativeEndian.AppendUint32(b, uint32(q.Cookie>>32))
}

// appendAddr appends an address as struct inet_diag_sockid has it: network order, IPv4 in the first of four words.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		four := a.As4()
		return append(append(b, four[:]...), make([]byte, 12)...)
	}
	sixteen := a.As16()
	return append(b, sixteen[:]...)
}
