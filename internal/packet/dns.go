package packet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	dnsPort = 53
	// dnsSnap is how much of a packet is copied: the largest headers and the largest message that is asked for in practice
	// (EDNS(0), RFC 6891).
	dnsSnap = 60 + udpSize + 4096
	// maxAnswers and maxAliases bound what is taken from one message.
	maxAnswers = 64
	maxAliases = 16
)

// DNS is a question for the addresses of a name, or the answer to one (RFC 1035).
type DNS struct {
	// Response tells answers from questions. Local is the end of who asked, Remote the server.
	Response      bool
	Local, Remote netip.AddrPort
	ID            uint16
	// Name is the name asked for, in lower case and without the last dot; only letters, digits, "-", "_" and dots are in it.
	// Type is A or AAAA.
	Name string
	Type uint16
	// Answers are its addresses, those of names it is an alias of included.
	Answers []Answer
}

// Answer is an address and how long it may be kept.
type Answer struct {
	Addr netip.Addr
	TTL  time.Duration
}

// NextDNS decodes the next message that is already there into m and reports whether there was one; it never blocks. Messages
// that ask for anything but addresses are passed over, and so are answers that are cut short (they are asked for again over
// TCP, which is not seen) or say that there is no such name.
func (c *Conn) NextDNS(m *DNS) (bool, error) {
	for {
		b, err := c.receive()
		if b == nil || err != nil {
			return false, err
		}
		var p Packet
		if !p.decode(b, c.outgoing()) {
			c.malformed++
			continue
		}
		*m = DNS{Local: p.Local, Remote: p.Remote, Answers: m.Answers[:0]}
		switch err := m.decode(payload(b)); {
		case err == nil && m.Response != c.outgoing():
			return true, nil
		case err != nil && !errors.Is(err, errNoAddresses):
			c.malformed++
		}
	}
}

// payload is what a packet that has been decoded as a UDP datagram carries, as far as it was copied.
func payload(b []byte) []byte {
	header := header6
	if b[0]>>4 == 4 {
		header = int(b[0]&0xf) * 4
	}
	length := int(binary.BigEndian.Uint16(b[header+4:]))
	return b[header+udpSize : min(len(b), header+max(length, udpSize))]
}

// errNoAddresses is why a sound message is passed over.
var errNoAddresses = errors.New("packet: not about addresses")

// decode reads a message.
func (m *DNS) decode(text []byte) error {
	var p dnsmessage.Parser
	h, err := p.Start(text)
	if err != nil {
		return err
	}
	if h.OpCode != 0 || h.Truncated || h.RCode != dnsmessage.RCodeSuccess {
		return errNoAddresses
	}
	q, err := p.Question()
	if err != nil {
		return err
	}
	if q.Class != dnsmessage.ClassINET || q.Type != dnsmessage.TypeA && q.Type != dnsmessage.TypeAAAA {
		return errNoAddresses
	}
	name, ok := hostname(q.Name)
	if !ok {
		return errNoAddresses
	}
	m.Response, m.ID, m.Name, m.Type = h.Response, h.ID, name, uint16(q.Type)
	if !m.Response {
		return nil
	}
	if err := p.SkipAllQuestions(); err != nil {
		return err
	}
	return m.answers(&p)
}

// answers takes the addresses of the name asked for, following aliases in the order they are told.
func (m *DNS) answers(p *dnsmessage.Parser) error {
	names := append(make([]string, 0, maxAliases), m.Name)
	least := ^uint32(0)
	for len(m.Answers) < maxAnswers {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		owner, _ := hostname(h.Name)
		ours := h.Class == dnsmessage.ClassINET && slices.Contains(names, owner)
		switch {
		case ours && h.Type == dnsmessage.TypeCNAME && len(names) < maxAliases:
			r, err := p.CNAMEResource()
			if err != nil {
				return err
			}
			if target, ok := hostname(r.CNAME); ok {
				names, least = append(names, target), min(least, h.TTL)
			}
		case ours && h.Type == dnsmessage.TypeA:
			r, err := p.AResource()
			if err != nil {
				return err
			}
			m.Answers = append(m.Answers, Answer{netip.AddrFrom4(r.A), lifetime(min(least, h.TTL))})
		case ours && h.Type == dnsmessage.TypeAAAA:
			r, err := p.AAAAResource()
			if err != nil {
				return err
			}
			m.Answers = append(m.Answers, Answer{netip.AddrFrom16(r.AAAA).Unmap(), lifetime(min(least, h.TTL))})
		default:
			if err := p.SkipAnswer(); err != nil {
				return err
			}
		}
	}
	return nil
}

// lifetime is a TTL as RFC 2181 reads it: values that would be negative mean none.
func lifetime(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// hostname returns a name in lower case and without its last dot; ok is false for one that no host would have.
func hostname(n dnsmessage.Name) (name string, ok bool) {
	name = strings.ToLower(strings.TrimSuffix(n.String(), "."))
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}
	return name, name != "" && !strings.ContainsFunc(name, odd)
}
