package sockdiag

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Socket is one struct inet_diag_msg (linux/inet_diag.h) with the tcp_info that came with it. IPv4-mapped IPv6 addresses
// are given as IPv4; scope zones are left out (Interface has the number). Inode and UID are 0 in notices of destroyed
// sockets, and Inode is 0 once no process holds the socket.
type Socket struct {
	State       State
	Timer       uint8  // 0 none, 1 retransmission, 2 keepalive, 3 TIME_WAIT, 4 zero window probe
	Retransmits uint8  // of the timer
	Interface   uint32 // the socket is bound to, 0 for none
	Expires     uint32 // of the timer, ms
	ReceiveQ    uint32
	SendQ       uint32
	UID         uint32
	Inode       uint32
	Cookie      uint64
	Local       netip.AddrPort
	Remote      netip.AddrPort
	Info        TCPInfo // zero if none came, see TCPInfo.Length
}

const messageSize = 4 + sockidSize + 20 // struct inet_diag_msg

// decode fills s from the body of a message and reports whether it made sense. A message with an attribute whose length
// lies keeps what came before it.
func (s *Socket) decode(body []byte) bool {
	if len(body) < messageSize {
		return false
	}
	id, tail := body[4:4+sockidSize:4+sockidSize], body[4+sockidSize:messageSize:messageSize]
	var local, remote netip.Addr
	switch body[0] {
	case unix.AF_INET:
		local, remote = netip.AddrFrom4([4]byte(id[4:8])), netip.AddrFrom4([4]byte(id[20:24]))
	case unix.AF_INET6:
		local = netip.AddrFrom16([16]byte(id[4:20])).Unmap()
		remote = netip.AddrFrom16([16]byte(id[20:36])).Unmap()
	default:
		return false
	}
	s.State, s.Timer, s.Retransmits = State(body[1]), body[2], body[3]
	s.Local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(id))
	s.Remote = netip.AddrPortFrom(remote, binary.BigEndian.Uint16(id[2:]))
	s.Interface = binary.NativeEndian.Uint32(id[36:])
	s.Cookie = uint64(binary.NativeEndian.Uint32(id[40:])) | uint64(binary.NativeEndian.Uint32(id[44:]))<<32
	s.Expires = binary.NativeEndian.Uint32(tail)
	s.ReceiveQ = binary.NativeEndian.Uint32(tail[4:])
	s.SendQ = binary.NativeEndian.Uint32(tail[8:])
	s.UID = binary.NativeEndian.Uint32(tail[12:])
	s.Inode = binary.NativeEndian.Uint32(tail[16:])
	s.Info = TCPInfo{}
	for attributes := body[messageSize:]; len(attributes) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(attributes))
		if size < unix.SizeofRtAttr || size > len(attributes) {
			return true
		}
		if kind := binary.NativeEndian.Uint16(attributes[2:]); kind == attributeInfo {
			s.Info.decode(attributes[unix.SizeofRtAttr:size])
		}
		attributes = attributes[min(align(size), len(attributes)):]
	}
	return true
}
