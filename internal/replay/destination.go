package replay

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// parseDestination reads [protocol://]host[:port]. Without a protocol it is TCP; name is the host where that is not an
// address, and addr then has the port only.
func parseDestination(text string) (protocol send.Protocol, addr netip.AddrPort, name string) {
	protocol = send.TCP
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
		if p, ok := protocolOf([]byte(strings.ToLower(scheme)), netip.Addr{}); ok {
			protocol = p
		}
	}
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return protocol, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), ""
	}
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return protocol, netip.AddrPortFrom(addr.Unmap(), 0), ""
	}
	host, digits, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		port = 0
	}
	return protocol, netip.AddrPortFrom(netip.Addr{}, uint16(port)), host
}

// discard is the prefix of addresses that lead nowhere (RFC 6666).
var discard = netip.MustParsePrefix("100::/64")

// Nowhere reports whether an address is one that a record has because its line has none: nobody shall take it for a destination.
func Nowhere(addr netip.Addr) bool { return discard.Contains(addr) }

// placeholder returns the address under which a flow without one is kept apart from the others: number n of the discard
// prefix 100::/64.
func placeholder(n uint64) netip.Addr {
	bytes := discard.Addr().As16()
	binary.BigEndian.PutUint64(bytes[8:], n)
	return netip.AddrFrom16(bytes)
}
