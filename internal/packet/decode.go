package packet

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	header6  = 40 // IPv6 (RFC 8200)
	udpSize  = 8
	tcpSize  = 20
	tcpFlags = 13
	flagSYN  = 0x02
	flagACK  = 0x10
)

// decode fills p from the headers in b, an IPv4 (RFC 791) or IPv6 packet. It is false for what the filter would not pass.
func (p *Packet) decode(b []byte, outgoing bool) bool {
	if len(b) < 1 {
		return false
	}
	var from, to netip.Addr
	var protocol uint8
	switch b[0] >> 4 {
	case 4:
		header := int(b[0]&0xf) * 4
		if header < 20 || len(b) < header || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return false
		}
		from, to, protocol = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[9]
		b = b[header:]
	case 6:
		if len(b) < header6 {
			return false
		}
		from, to, protocol = netip.AddrFrom16([16]byte(b[8:])).Unmap(), netip.AddrFrom16([16]byte(b[24:])).Unmap(), b[6]
		b = b[header6:]
	default:
		return false
	}
	var size uint32
	switch protocol {
	case unix.IPPROTO_TCP:
		if len(b) < tcpSize || b[tcpFlags]&(flagSYN|flagACK) != flagSYN || !outgoing {
			return false
		}
	case unix.IPPROTO_UDP:
		if len(b) < udpSize {
			return false
		}
		length := uint32(binary.BigEndian.Uint16(b[4:]))
		if length < udpSize {
			return false
		}
		size = length - udpSize
	default:
		return false
	}
	source := netip.AddrPortFrom(from, binary.BigEndian.Uint16(b))
	target := netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))
	*p = Packet{Protocol: protocol, Outgoing: outgoing, Local: target, Remote: source, Size: size}
	if outgoing {
		p.Local, p.Remote = source, target
	}
	return true
}
