package enrichment

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// Sources of names.
const (
	FromHosts = "hosts" // /etc/hosts
	FromDNS   = "dns"   // an answer to a question this host asked
)

// A name stays at least shortest, because programs keep a connection for longer than the name it was opened by, and at most
// longest.
const (
	shortest = time.Hour
	longest  = 24 * time.Hour
)

// Bounds of what waits for an answer, and for how long.
const (
	maxQuestions = 4096
	patience     = 15 * time.Second
)

// NamesConfig of Names; the zero value listens on this host.
type NamesConfig struct {
	// Root is the directory in which etc/hosts and the files that name the host's name servers are looked for. Default /.
	Root string
	// NoDNS: read the hosts file only, and do not listen.
	NoDNS bool
	// NetNS is as in packet.Config.
	NetNS int
	// MaxNames bounds the addresses remembered. Default 16384.
	MaxNames int
	// Now is the clock, default time.Now.
	Now func() time.Time
}

// Names knows by which name this host knows an address, without asking anybody: from /etc/hosts, and from the answers to the
// questions it asks name servers anyway, overheard on UDP port 53 of the sensor's network namespace. DNS over TCP, TLS or
// HTTPS is not seen, nor what containers with a network of their own ask.
//
// An answer counts only if it comes from a name server the host is configured to use, to a question seen before with the same
// name, type, identifier and ports. So nobody can put the name of another into a row by answering himself; the operator of a
// zone can have its names point anywhere, and whoever controls the name server, or root on this host, can say anything.
type Names struct {
	config NamesConfig

	mu      sync.RWMutex // guards what follows
	hosts   map[netip.Addr]string
	stamp   process.File
	servers servers
	heard   heard
	asked   map[question]time.Time
	stats   NameStats
}

// NameStats is what Names knows about itself. Counters only grow.
type NameStats struct {
	// Listening: DNS is overheard now. Refused is why it is not, nil if it is, or shall not be.
	Listening bool
	Refused   error
	// Answers counts those taken, Unasked those nobody had asked for, Untrusted messages to or from other name servers than
	// the host's own, Lost those that found the receive buffer full.
	Answers, Unasked, Untrusted, Lost uint64
	// Hosts and Heard are the addresses named now.
	Hosts, Heard int
}

// question is what must be the same in question and answer.
type question struct {
	local, remote netip.AddrPort
	id, kind      uint16
	name          string
}

// NewNames returns a Names that knows nothing until Run.
func NewNames(c NamesConfig) *Names {
	setDefault(&c.Root, "/")
	if c.MaxNames <= 0 {
		c.MaxNames = 16384
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Names{config: c, heard: heard{limit: c.MaxNames}, asked: make(map[question]time.Time)}
}

// Name returns the name of an address and where it is known from; empty if it is not known.
func (n *Names) Name(addr netip.Addr) (name, source string) {
	addr = addr.Unmap()
	n.mu.RLock()
	defer n.mu.RUnlock()
	if name, ok := n.hosts[addr]; ok {
		return name, FromHosts
	}
	if name := n.heard.name(addr, n.config.Now()); name != "" {
		return name, FromDNS
	}
	return "", ""
}

// Stats returns the counters of now.
func (n *Names) Stats() NameStats {
	n.mu.RLock()
	defer n.mu.RUnlock()
	s := n.stats
	s.Hosts, s.Heard = len(n.hosts), len(n.heard.by)
	return s
}

// Run reads the files and listens until ctx ends; it then returns nil. Where the kernel refuses, it tries again now and then.
func (n *Names) Run(ctx context.Context) error {
	n.refresh() // before the first message, which may be to be trusted
	var reading sync.WaitGroup
	reading.Go(func() { n.readFiles(ctx) })
	defer reading.Wait()
	if n.config.NoDNS {
		return nil
	}
	const first, last = time.Second, 5 * time.Minute
	for wait := first; ctx.Err() == nil; wait = min(2*wait, last) {
		c, err := packet.Open(packet.Config{Want: packet.Names, NetNS: n.config.NetNS, ReceiveBuffer: 1 << 20})
		if err == nil {
			wait = first
			err = n.listen(ctx, c)
		}
		n.note(func(s *NameStats) { s.Listening, s.Refused = false, err })
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// readFiles reads the files again whenever they have changed.
func (n *Names) readFiles(ctx context.Context) {
	const every = 10 * time.Second
	for pulse.Wait(ctx, every) {
		n.refresh()
	}
}

// refresh reads what has changed.
func (n *Names) refresh() {
	path := filepath.Join(n.config.Root, "etc/hosts")
	stamp, err := fileAt(path)
	n.mu.RLock()
	changed := stamp != n.stamp || err != nil
	n.mu.RUnlock()
	named := map[netip.Addr]string{}
	if err == nil && changed {
		if text, err := readFile(path, maxHosts); err == nil {
			named = parseHosts(text)
		}
	}
	trusted := readServers(n.config.Root)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers = trusted
	if changed {
		n.hosts, n.stamp = named, stamp
	}
}

// listen takes messages until ctx ends or receiving fails, and closes c.
func (n *Names) listen(ctx context.Context, c *packet.Conn) error {
	defer context.AfterFunc(ctx, c.Interrupt)()
	n.note(func(s *NameStats) { s.Listening, s.Refused = true, nil })
	var m packet.DNS
	var err error
	for ctx.Err() == nil && err == nil {
		_, err = c.Wait()
		for ok := err == nil; ok; {
			if ok, err = c.NextDNS(&m); ok {
				n.take(&m)
			}
		}
		if lost, failed := c.Drops(); failed == nil {
			n.note(func(s *NameStats) { s.Lost = lost })
		}
	}
	return errors.Join(err, c.Close())
}

func (n *Names) note(change func(*NameStats)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.stats)
}

// take takes note of one message.
func (n *Names) take(m *packet.DNS) {
	now := n.config.Now()
	q := question{local: m.Local, remote: m.Remote, id: m.ID, kind: m.Type, name: m.Name}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.servers.trusted(m.Remote.Addr()) {
		n.stats.Untrusted++
		return
	}
	if !m.Response {
		n.ask(q, now)
		return
	}
	until, asked := n.asked[q]
	delete(n.asked, q)
	if !asked || now.After(until) {
		n.stats.Unasked++
		return
	}
	n.stats.Answers++
	for _, a := range m.Answers {
		n.heard.add(a.Addr, m.Name, now.Add(min(max(a.TTL, shortest), longest)), now)
	}
}

// ask remembers a question. Where there is no room, those that were never answered go, then any.
func (n *Names) ask(q question, now time.Time) {
	if len(n.asked) >= maxQuestions {
		for old, until := range n.asked {
			if now.After(until) {
				delete(n.asked, old)
			}
		}
		for old := range n.asked {
			if len(n.asked) < maxQuestions {
				break
			}
			delete(n.asked, old)
		}
	}
	n.asked[q] = now.Add(patience)
}
