package enrichment

import (
	"net/netip"
	"slices"
	"time"
)

// heard is a bounded memory of names; those that end first go first.
type heard struct {
	limit int
	by    map[netip.Addr]utterance
}

type utterance struct {
	name  string
	until time.Time
}

func (h *heard) name(addr netip.Addr, now time.Time) string {
	if u := h.by[addr]; now.Before(u.until) {
		return u.name
	}
	return ""
}

func (h *heard) add(addr netip.Addr, name string, until, now time.Time) {
	if h.by == nil {
		h.by = make(map[netip.Addr]utterance)
	}
	if _, known := h.by[addr]; !known && len(h.by) >= h.limit {
		h.forget(now)
	}
	h.by[addr] = utterance{name: name, until: until}
}

// forget drops what has ended, and if that is little the sixteenth that ends first.
func (h *heard) forget(now time.Time) {
	ends := make([]time.Time, 0, len(h.by))
	for _, u := range h.by {
		ends = append(ends, u.until)
	}
	slices.SortFunc(ends, time.Time.Compare)
	drop := len(ends)/16 + 1
	last := ends[drop-1]
	for addr, u := range h.by {
		if !now.Before(u.until) || drop > 0 && !u.until.After(last) {
			delete(h.by, addr)
			drop--
		}
	}
}
