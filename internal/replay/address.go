package replay

import (
	"fmt"
	"net/netip"
)

// maxAddresses bounds the table of addresses already read.
const maxAddresses = 1 << 16

// address is one address of the log: parsed, as a string that rows may keep, and whether it is one of ours when the log
// itself does not say.
type address struct {
	addr   netip.Addr
	text   string
	listed bool // in Config.Local
	local  bool // ours as far as the address tells
}

// addresses parses each address once, so that a row of known addresses costs two look-ups and no memory. When the table
// is full it starts anew.
type addresses struct {
	known map[string]address
	local []netip.Prefix
}

func newAddresses(local []netip.Prefix) *addresses {
	return &addresses{known: make(map[string]address), local: local}
}

// get parses the text of an address; IPv4-mapped IPv6 becomes IPv4, a zone is dropped.
func (a *addresses) get(text []byte) (address, error) {
	if found, ok := a.known[string(text)]; ok {
		return found, nil
	}
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return address{}, fmt.Errorf("%q is not an address", clip(text))
	}
	addr = addr.Unmap().WithZone("")
	fresh := address{addr: addr, text: addr.String()}
	for _, p := range a.local {
		fresh.listed = fresh.listed || p.Contains(addr)
	}
	fresh.local = fresh.listed || len(a.local) == 0 && addr.IsPrivate()
	if len(a.known) >= maxAddresses {
		clear(a.known)
	}
	a.known[string(text)] = fresh
	return fresh, nil
}

// here reports whether a connection from this originator left from here. An address the operator listed is here whatever
// the log says; otherwise local_orig decides, and where the log has none, the address.
func (o address) here(localOrig []byte) bool {
	if o.listed || localOrig == nil {
		return o.local
	}
	return localOrig[0] == 'T' || localOrig[0] == 't'
}
