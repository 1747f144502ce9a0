package send

import "net/netip"

// Class is the kind of destination an address is, seen from this host.
type Class uint8

// Classes in the words of the destination_class column. LoopbackProxy is a loopback listener whose owner itself talks
// outside; an address alone cannot tell, so Classify never returns it.
const (
	Public Class = iota
	Private
	SameSubnet
	Metadata
	Loopback
	LoopbackProxy
	LinkLocal
	Multicast
	Broadcast
)

var classNames = [...]string{"public", "private", "same_subnet", "metadata", "loopback", "loopback_proxy", "link_local",
	"multicast", "broadcast"}

// String returns the word of the destination_class column.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// ParseClass returns the class a word of the destination_class column names.
func ParseClass(word string) (Class, bool) {
	for i, name := range classNames {
		if name == word {
			return Class(i), true
		}
	}
	return 0, false
}

// metadataServices are the instance-metadata addresses of the large clouds: AWS, Azure, GCP, OpenStack, Oracle share the
// first, AWS has the IPv6 one, Alibaba the last.
var metadataServices = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"),
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("100.100.100.200"),
}

// sharedAddressSpace is RFC 6598, carrier-grade NAT, not routed on the Internet.
var sharedAddressSpace = netip.MustParsePrefix("100.64.0.0/10")

// Classify returns the class of addr for a host whose interfaces carry subnets. IPv4-mapped IPv6 counts as IPv4; the
// unspecified address counts as loopback, which is where Linux connects it (tcp(7), connect(2)).
func Classify(addr netip.Addr, subnets []netip.Prefix) Class {
	addr = addr.Unmap()
	for _, m := range metadataServices {
		if addr == m {
			return Metadata
		}
	}
	switch {
	case !addr.IsValid(), addr.IsLoopback(), addr.IsUnspecified():
		return Loopback
	case addr.IsMulticast():
		return Multicast
	case addr.IsLinkLocalUnicast():
		return LinkLocal
	case addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return Broadcast
	}
	for _, p := range subnets {
		if p.Contains(addr) && p.Bits() < addr.BitLen() {
			if isBroadcastOf(addr, p) {
				return Broadcast
			}
			return SameSubnet
		}
	}
	if addr.IsPrivate() || sharedAddressSpace.Contains(addr) {
		return Private
	}
	return Public
}

// isBroadcastOf reports whether addr is the all-ones address of the IPv4 subnet p; /31 has none (RFC 3021).
func isBroadcastOf(addr netip.Addr, p netip.Prefix) bool {
	if !addr.Is4() || p.Bits() >= 31 {
		return false
	}
	a := addr.As4()
	host := ^uint32(0) >> p.Bits()
	v := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	return v&host == host
}
