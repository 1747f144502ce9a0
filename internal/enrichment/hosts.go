package enrichment

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
)

// Bounds of what is read of name files.
const (
	maxHosts     = 8 << 20
	maxHostNames = 1 << 14
	maxResolv    = 64 << 10
	maxServers   = 64
	maxHostname  = 255
)

// parseHosts decodes hosts(5): an address, its name and further names a line, "#" begins a comment. The first name of an
// address is the one that counts.
func parseHosts(text []byte) map[netip.Addr]string {
	names := make(map[netip.Addr]string)
	for line := range bytes.Lines(text) {
		line, _, _ = bytes.Cut(line, []byte{'#'})
		fields := strings.Fields(string(line))
		if len(fields) < 2 || len(fields[1]) > maxHostname {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil || addr.IsUnspecified() { // 0.0.0.0 is how names are blocked
			continue
		}
		addr = addr.Unmap().WithZone("")
		if _, known := names[addr]; !known && len(names) < maxHostNames {
			names[addr] = strings.ToLower(strings.TrimSuffix(fields[1], "."))
		}
	}
	return names
}

// servers are the name servers a host is configured to use.
type servers struct{ addrs map[netip.Addr]bool }

// resolvFiles name them: what programs are told, and behind a local stub what that asks in turn.
var resolvFiles = []string{"etc/resolv.conf", "run/systemd/resolve/resolv.conf", "run/NetworkManager/no-stub-resolv.conf"}

// readServers reads the configuration of the resolver.
func readServers(root string) servers {
	s := servers{addrs: make(map[netip.Addr]bool)}
	for _, name := range resolvFiles {
		if text, err := readFile(filepath.Join(root, name), maxResolv); err == nil {
			s.add(text)
		}
	}
	return s
}

// add takes over the name servers of a resolv.conf(5).
func (s servers) add(text []byte) {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0] != "nameserver" || len(s.addrs) >= maxServers {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			s.addrs[addr.Unmap().WithZone("")] = true
		}
	}
}

// trusted reports whether the host uses a name server. Without any configured it is the one on this host.
func (s servers) trusted(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return s.addrs[addr] || len(s.addrs) == 0 && addr.IsLoopback()
}
