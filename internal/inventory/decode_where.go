package inventory

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// isAny reports whether the value is the word any.
func isAny(n ast.Node) bool {
	s, ok := n.(*ast.StringNode)
	return ok && s.Value == anything
}

func (d *document) destinations(n ast.Node, r *Rule) {
	if isAny(n) {
		return
	}
	for _, item := range d.list(n) {
		r.destinations = append(r.destinations, d.destination(item))
	}
}

func (d *document) destination(n ast.Node) destination {
	var out destination
	present := d.fields(n, "a destination", map[string]func(ast.Node){
		"cidr":     func(n ast.Node) { out.networks = parsed(d, n, parseNetwork) },
		"port":     func(n ast.Node) { out.ports = parsed(d, n, parsePorts) },
		"protocol": func(n ast.Node) { out.protocols = parsed(d, n, parseProtocol) },
		"domain":   func(n ast.Node) { out.domains = parsed(d, n, parseDomain) },
		"class":    func(n ast.Node) { out.classes = parsed(d, n, parseClass) },
	})
	if present != nil && len(present) == 0 {
		d.complain(n, "an empty destination: name a cidr, port, protocol, domain or class")
	}
	for _, p := range out.protocols {
		if len(out.ports) > 0 && (p == send.ICMP || p == send.ICMPv6 || p == send.Raw) {
			d.complain(n, "%s has no ports", p)
		}
	}
	return out
}

func (d *document) period(n ast.Node, r *Rule) {
	if isAny(n) {
		return
	}
	r.periods = parsed(d, n, parseSpan)
	for _, s := range r.periods {
		if s.any() {
			d.complain(n, "any beside other periods")
		}
	}
}

// parsed reads each item of a list.
func parsed[T any](d *document, n ast.Node, parse func(string) (T, error)) []T {
	var out []T
	for _, item := range d.list(n) {
		s, ok := d.text(item)
		if !ok {
			continue
		}
		v, err := parse(s)
		if err != nil {
			d.complain(item, "%s", err)
			continue
		}
		out = append(out, v)
	}
	return out
}
