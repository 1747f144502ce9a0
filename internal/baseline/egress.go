package baseline

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// Egress is what a unit may be left to talk to: what the inventory expects of it. Blocked are the rows it would have stopped
// in what was recorded.
type Egress struct {
	Unit    string
	Cgroup  string // its path, for nftables; empty if it was never seen
	Allowed []Allowed
	Blocked []Row
}

// Allowed is one address a unit is expected to talk to.
type Allowed struct {
	Addr     netip.Addr
	Protocol string
	Port     uint16
	Rule     string
	Name     string
}

// Restrict sorts what was recorded of a unit into expected and not. Rows are candidates of every score.
func Restrict(unit string, rows []Row) Egress {
	e := Egress{Unit: unit}
	for _, r := range rows {
		if r["systemd_unit"] != unit || r["scope"] == "process" {
			continue
		}
		if e.Cgroup == "" {
			e.Cgroup = strings.Trim(r["cgroup_path"], "/")
		}
		t, ok := target(r)
		if !ok || r["expected"] != "1" {
			e.Blocked = append(e.Blocked, r)
			continue
		}
		a := Allowed{t.Destination.Remote.Addr(), t.Destination.Protocol.String(), t.Destination.Remote.Port(), r["rule"], t.Hostname}
		if !slices.Contains(e.Allowed, a) {
			e.Allowed = append(e.Allowed, a)
		}
	}
	slices.SortFunc(e.Allowed, func(a, b Allowed) int {
		return strings.Compare(fmt.Sprint(a.Addr, a.Protocol, a.Port), fmt.Sprint(b.Addr, b.Protocol, b.Port))
	})
	return e
}

// Write writes a systemd drop-in and an nftables table, each to be applied by a person, and what they would have blocked.
func (e Egress) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# What %s is expected to talk to, and nothing else. Applied by you, not by this command.\n#\n", comment(e.Unit))
	if len(e.Blocked) == 0 {
		b.WriteString("# In what was recorded this would have blocked nothing.\n")
	} else {
		fmt.Fprintf(&b, "# In what was recorded this would have blocked %s:\n", figure.Count(len(e.Blocked), "destination"))
	}
	for _, r := range e.Blocked {
		fmt.Fprintf(&b, "#   %s to %s:%s, %s in %s check-ins, last %s: %s\n", comment(r["path"]), comment(r["remote_address"]), comment(r["remote_port"]),
			figure.Bytes(figure.Number(r["bytes_sent"])), comment(r["beats"]), day(r["last_seen"]), comment(r["reason"]))
	}
	e.dropIn(&b)
	e.nftables(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// dropIn is systemd.resource-control(5). It knows addresses, not ports.
func (e Egress) dropIn(b *strings.Builder) {
	fmt.Fprintf(b, "\n# --- /etc/systemd/system/%s.d/egress.conf, then systemctl daemon-reload\n[Service]\nIPAddressDeny=any\nIPAddressAllow=localhost\n", comment(e.Unit))
	var last netip.Addr
	for _, a := range e.Allowed {
		if a.Addr != last {
			fmt.Fprintf(b, "IPAddressAllow=%s\n", a.Addr)
		}
		last = a.Addr
	}
}

// nftables is a table of nft(8): it knows ports too, and needs a cgroup2 hierarchy.
func (e Egress) nftables(b *strings.Builder) {
	if e.Cgroup == "" {
		return
	}
	level := strings.Count(e.Cgroup, "/") + 1
	who := fmt.Sprintf("socket cgroupv2 level %d %s", level, nftString(e.Cgroup))
	b.WriteString("\n# --- nft -f FILE; undo: nft delete table inet beaconwatch_egress\ntable inet beaconwatch_egress {\n")
	for _, family := range []struct {
		name, kind string
		is4        bool
	}{{"allowed4", "ipv4_addr", true}, {"allowed6", "ipv6_addr", false}} {
		fmt.Fprintf(b, "  set %s {\n    type %s . inet_proto . inet_service\n", family.name, family.kind)
		var elements []string
		for _, a := range e.Allowed {
			if a.Addr.Is4() == family.is4 && (a.Protocol == "tcp" || a.Protocol == "udp") {
				elements = append(elements, fmt.Sprintf("%s . %s . %d", a.Addr, a.Protocol, a.Port))
			}
		}
		if len(elements) > 0 {
			fmt.Fprintf(b, "    elements = { %s }\n", strings.Join(elements, ", "))
		}
		b.WriteString("  }\n")
	}
	fmt.Fprintf(b, `  chain output {
    type filter hook output priority filter; policy accept;
    oif lo accept
    %[1]s ip daddr . meta l4proto . th dport @allowed4 accept
    %[1]s ip6 daddr . meta l4proto . th dport @allowed6 accept
    %[1]s ct direction reply accept
    %[1]s counter log prefix "beaconwatch-egress " drop
  }
}
`, who)
}

// nftString quotes a path for nft, which knows no escapes: what cannot be quoted is left out.
func nftString(s string) string { return `"` + strings.ReplaceAll(comment(s), `"`, "") + `"` }
