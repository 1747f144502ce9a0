package inventory

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Target is where a program talks to: the destination, what kind of address it is from here, and its name where this host
// has learned one.
type Target struct {
	Destination send.Destination
	Class       send.Class
	Hostname    string
}

// destination is one item of a rule's destinations. Each part that is set must fit.
type destination struct {
	networks  []netip.Prefix
	ports     []portRange
	protocols []send.Protocol
	domains   []string // lower case, without a leading dot
	classes   []send.Class
}

type portRange struct{ first, last uint16 }

// parsePorts reads "443" or "8000-8100".
func parsePorts(text string) (portRange, error) {
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	first, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	if err1 != nil || err2 != nil || last < first || first == 0 {
		return portRange{}, fmt.Errorf("%q is no port: write 443 or 8000-8100", text)
	}
	return portRange{uint16(first), uint16(last)}, nil
}

// parseNetwork reads a network or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is no network: write 192.0.2.0/24, 2001:db8::/32 or one address", text)
	case p != p.Masked():
		return p, fmt.Errorf("%s has bits behind its length: write %s", text, p.Masked())
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%s is IPv4 in IPv6: write it as IPv4", text)
	}
	return p, nil
}

func parseProtocol(text string) (send.Protocol, error) {
	for _, p := range []send.Protocol{send.TCP, send.UDP, send.UDPLite, send.SCTP, send.ICMP, send.ICMPv6, send.Raw} {
		if p.String() == text {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%q is no protocol: write tcp, udp, udplite, sctp, icmp, icmpv6 or raw", text)
}

// parseDomain reads a name that stands for itself and all names below it.
func parseDomain(text string) (string, error) {
	name := strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(text), "."), ".")
	if len(name) > 253 || !strings.Contains(name, ".") {
		return "", fmt.Errorf("%q is no domain of at least two labels, such as example.org", text)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", fmt.Errorf("%q is no domain such as example.org; it stands for all names below it, without wildcards", text)
		}
	}
	return name, nil
}

func parseClass(text string) (send.Class, error) {
	c, ok := send.ParseClass(text)
	if !ok {
		return 0, fmt.Errorf("%q is no destination class: write public, private, same_subnet, metadata or loopback_proxy", text)
	}
	return c, nil
}

func (d *destination) covers(t *Target) bool {
	addr, port := t.Destination.Remote.Addr(), t.Destination.Remote.Port()
	return fits(d.networks, func(p netip.Prefix) bool { return p.Contains(addr) }) &&
		fits(d.ports, func(r portRange) bool { return r.first <= port && port <= r.last }) &&
		fits(d.protocols, func(p send.Protocol) bool { return p == t.Destination.Protocol }) &&
		fits(d.classes, func(c send.Class) bool { return c == t.Class }) &&
		fits(d.domains, func(name string) bool { return below(t.Hostname, name) })
}

// fits reports whether one of the items does, or there are none.
func fits[T any](items []T, fits func(T) bool) bool {
	if len(items) == 0 {
		return true
	}
	for _, item := range items {
		if fits(item) {
			return true
		}
	}
	return false
}

// below reports whether host is domain or a name below it.
func below(host, domain string) bool {
	host = strings.TrimSuffix(host, ".")
	if len(host) < len(domain) || !strings.EqualFold(host[len(host)-len(domain):], domain) {
		return false
	}
	return len(host) == len(domain) || host[len(host)-len(domain)-1] == '.'
}

// Networks wider than these are the Internet rather than a destination.
const (
	narrowestAny4 = 8
	narrowestAny6 = 7 // fc00::/7 is the whole of unique local addresses
)

// specific reports whether the item names where to: a network, a domain or a kind of address that is not the Internet. A
// port alone does not; every implant talks to 443.
func (d *destination) specific() bool {
	narrow := func(p netip.Prefix) bool {
		if p.Addr().Is4() {
			return p.Bits() >= narrowestAny4
		}
		return p.Bits() >= narrowestAny6
	}
	return len(d.networks) > 0 && all(d.networks, narrow) || len(d.domains) > 0 ||
		len(d.classes) > 0 && all(d.classes, func(c send.Class) bool { return c != send.Public })
}

// includes reports whether all that o covers is covered by d as well. It may miss a case.
func (d *destination) includes(o *destination) bool {
	return within(d.networks, o.networks, func(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }) &&
		within(d.ports, o.ports, func(a, b portRange) bool { return a.first <= b.first && b.last <= a.last }) &&
		within(d.protocols, o.protocols, func(a, b send.Protocol) bool { return a == b }) &&
		within(d.classes, o.classes, func(a, b send.Class) bool { return a == b }) &&
		within(d.domains, o.domains, func(a, b string) bool { return below(b, a) })
}

// overlaps reports whether some target may be covered by both.
func (d *destination) overlaps(o *destination) bool {
	return meet(d.networks, o.networks, netip.Prefix.Overlaps) &&
		meet(d.ports, o.ports, func(a, b portRange) bool { return a.first <= b.last && b.first <= a.last }) &&
		meet(d.protocols, o.protocols, func(a, b send.Protocol) bool { return a == b }) &&
		meet(d.classes, o.classes, func(a, b send.Class) bool { return a == b }) &&
		meet(d.domains, o.domains, func(a, b string) bool { return below(a, b) || below(b, a) })
}

// within reports whether every item of narrow is included in one of wide; no items stand for all.
func within[T any](wide, narrow []T, includes func(a, b T) bool) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && all(narrow, func(b T) bool { return fits(wide, func(a T) bool { return includes(a, b) }) })
}

// meet reports whether some item of a and one of b have something in common; no items stand for all.
func meet[T any](a, b []T, overlap func(a, b T) bool) bool {
	return fits(a, func(x T) bool { return fits(b, func(y T) bool { return overlap(x, y) }) })
}

func all[T any](items []T, is func(T) bool) bool {
	for _, item := range items {
		if !is(item) {
			return false
		}
	}
	return true
}

// String is the item in one form, whatever way it was written.
func (d *destination) String() string {
	var parts []string
	add := func(name string, items []string) {
		if len(items) > 0 {
			parts = append(parts, name+" "+strings.Join(items, " or "))
		}
	}
	add("protocol", named(d.protocols, send.Protocol.String))
	add("cidr", named(d.networks, netip.Prefix.String))
	add("domain", d.domains)
	add("class", named(d.classes, send.Class.String))
	add("port", named(d.ports, func(r portRange) string {
		if r.first == r.last {
			return strconv.Itoa(int(r.first))
		}
		return fmt.Sprintf("%d-%d", r.first, r.last)
	}))
	return strings.Join(parts, " ")
}

func named[T any](items []T, name func(T) string) []string {
	var names []string
	for _, item := range items {
		names = append(names, name(item))
	}
	return names
}
