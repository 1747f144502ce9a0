package procfs

import (
	"encoding/binary"
	"net/netip"
)

// NetSocket is one row of /proc/net/{tcp,udp,udplite,raw} or their IPv6 siblings (proc_pid_net(5); printed by get_tcp4_sock
// in net/ipv4/tcp_ipv4.c and its like). State is numbered as in include/net/tcp_states.h. IPv4-mapped IPv6 addresses are
// given as IPv4. In the raw tables the local port is the IP protocol and the remote port is 0. Inode is 0 for sockets no
// process holds.
type NetSocket struct {
	Local, Remote netip.AddrPort
	State         uint8
	SendQ         uint32 // bytes
	ReceiveQ      uint32 // bytes
	Retransmits   uint32
	UID           uint32
	Inode         uint64
}

// parse fills s from one row and reports whether it made sense.
func (s *NetSocket) parse(row []byte) bool {
	f := netFields{rest: row}
	f.next() // slot
	s.Local = f.endpoint()
	s.Remote = f.endpoint()
	s.State = uint8(f.hex(f.next(), 2))
	s.SendQ, s.ReceiveQ = f.queues()
	f.next() // timer
	s.Retransmits = f.hex(f.next(), 8)
	s.UID = uint32(f.decimal(1<<32 - 1))
	f.next() // timeout
	s.Inode = f.decimal(1<<63 - 1)
	return !f.bad && s.Local.Addr().IsValid() && s.Remote.Addr().IsValid()
}

// netFields reads the fields of a row one after the other; bad is set by the first that is missing or not what it should be.
type netFields struct {
	rest []byte
	bad  bool
}

// next splits off the next field, which blanks separate; empty at the end of the row.
func (f *netFields) next() []byte {
	start := 0
	for start < len(f.rest) && f.rest[start] == ' ' {
		start++
	}
	end := start
	for end < len(f.rest) && f.rest[end] != ' ' {
		end++
	}
	field := f.rest[start:end]
	f.rest = f.rest[end:]
	return field
}

// endpoint reads "address:port". The kernel prints an address as its 32-bit words in memory order, each as a number, so
// each is stored as this host stores numbers. One word is IPv4 and four are IPv6, whatever their values.
func (f *netFields) endpoint() netip.AddrPort {
	const wordDigits, portDigits = 8, 4
	text := f.next()
	digits := len(text) - 1 - portDigits
	if digits != wordDigits && digits != 4*wordDigits || text[digits] != ':' {
		f.bad = true
		return netip.AddrPort{}
	}
	var raw [16]byte
	for i := 0; i < digits; i += wordDigits {
		binary.NativeEndian.PutUint32(raw[i/2:], f.hex(text[i:i+wordDigits], wordDigits))
	}
	port := uint16(f.hex(text[digits+1:], portDigits))
	if digits == wordDigits {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(raw).Unmap(), port)
}

// queues reads "tx_queue:rx_queue".
func (f *netFields) queues() (tx, rx uint32) {
	const digits = 8
	text := f.next()
	if len(text) != 2*digits+1 || text[digits] != ':' {
		f.bad = true
		return 0, 0
	}
	return f.hex(text[:digits], digits), f.hex(text[digits+1:], digits)
}

// hex reads text as one to digits hex digits.
func (f *netFields) hex(text []byte, digits int) uint32 {
	f.bad = f.bad || len(text) == 0 || len(text) > digits
	var v uint32
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			f.bad = true
		}
		v = v<<4 | uint32(c&0xf)
	}
	return v
}

// decimal reads the next field as a decimal number up to limit.
func (f *netFields) decimal(limit uint64) uint64 {
	text := f.next()
	f.bad = f.bad || len(text) == 0 || len(text) > 19 // 19 digits cannot overflow
	var v uint64
	for _, c := range text {
		f.bad = f.bad || c < '0' || c > '9'
		v = v*10 + uint64(c-'0')
	}
	f.bad = f.bad || v > limit
	return v
}
