package source

import (
	"context"
	"fmt"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// PacketConfig says how to watch packets. The zero PacketConfig watches the sensor's own network namespace.
type PacketConfig struct {
	Place
	// Forwards says that packets of others leave through the namespace, which is also found out when the source is opened: then
	// datagrams no socket here can have sent are passed over, for they are told where they come from.
	Forwards bool
	// Meet, if not nil, is called on the goroutine in Run with the socket of each outbound pair when it is met: whoever wants to
	// know its owner must look now.
	Meet func(send.Socket)
	// Period is how long datagrams of a pair are folded, default 20 ms; Idle after how long without any a pair ends, default
	// 30 s. MaxPairs bounds the pairs remembered, default 16 384.
	Period, Idle time.Duration
	MaxPairs     int
	// Budget is the fraction of one core that reading datagrams may cost in the long run, default 0.01; beyond it some are lost,
	// which is counted.
	Budget float64
	// ReceiveBuffer is as in packet.Config.
	ReceiveBuffer int
}

func (c *PacketConfig) setDefaults() error {
	if c.Period == 0 {
		c.Period = 20 * time.Millisecond
	}
	if c.Idle == 0 {
		c.Idle = 30 * time.Second
	}
	if c.MaxPairs == 0 {
		c.MaxPairs = 1 << 14
	}
	if c.Budget == 0 {
		c.Budget = 0.01
	}
	if c.Period < time.Millisecond || c.Idle < c.Period || c.MaxPairs < 1 || c.MaxPairs > 1<<24 || c.Budget < 0 || c.Budget > 1 {
		return fmt.Errorf("packet: period %v, idle %v, %d pairs, budget %v: at least 1 ms, at least the period, in [1, 2^24], in (0, 1]",
			c.Period, c.Idle, c.MaxPairs, c.Budget)
	}
	return nil
}

// Packet is L1 for UDP: datagrams as they leave the network namespace, with their sizes. It names no process; the socket is the
// one UDP_DIAG shows on the local port when the first datagram of a pair is met, and its cookie is 0 if it is gone by then.
//
// A pair, of two ends, is outbound if its first datagram was. Sizes and times are exact, but datagrams of a pair within a period
// are one send (Aggregated); pairs met within Idle of the start may have begun before it, so that they are outbound is Inferred.
type Packet struct {
	ledger
	cfg  PacketConfig
	conn *packet.Conn
	diag *sockdiag.Conn // nil where the kernel does not serve it

	// owned by the goroutine in Run
	emit    Emit
	pairs   map[pairKey]*pair
	pending []*pair
	owners  map[uint16][]sockdiag.Socket // by local port
	read    boottime.Time                // when owners were
	started boottime.Time
	quiet   boottime.Time // when the queue was last empty
	flushed boottime.Time
	reading allowance
	swept   boottime.Time
}

// NewPacket opens the packet socket. The error matches ErrRefused if the kernel does not serve it.
func NewPacket(cfg PacketConfig) (*Packet, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	conn, err := packet.Open(packet.Config{NetNS: cfg.NetNS, Want: packet.Datagrams, ReceiveBuffer: cfg.ReceiveBuffer})
	if err != nil {
		return nil, refused("packet", err)
	}
	cfg.Forwards = cfg.Forwards || forwards(cfg.NetNS)
	p := &Packet{cfg: cfg, conn: conn, reading: allowance{budget: cfg.Budget, share: cfg.Share}, pairs: make(map[pairKey]*pair), owners: make(map[uint16][]sockdiag.Socket)}
	p.counters = Stats{Name: "packet", Protocol: "udp", NetNS: cfg.NetNSInode, Quality: send.Exact}
	if p.diag, err = sockdiag.Dial(sockdiag.Config{NetNS: cfg.NetNS}); err != nil {
		p.diag = nil // sizes and times without owners are still worth having
	}
	p.publish()
	return p, nil
}

// Run reports until ctx ends, then returns nil; otherwise it returns why it could not go on. It may be called once.
func (p *Packet) Run(ctx context.Context, emit Emit) error {
	p.emit = emit
	defer p.close()
	defer context.AfterFunc(ctx, p.conn.Interrupt)()
	return p.during(func() error { return p.loop(ctx) })
}

func (p *Packet) loop(ctx context.Context) error {
	p.started = boottime.Now()
	p.quiet, p.flushed = p.started, p.started
	if err := p.note(p.started, false); err != nil {
		return refused("packet", err)
	}
	for {
		if err := p.conn.SetDeadline(p.deadline()); err != nil {
			return err
		}
		if ctx.Err() == nil {
			if _, err := p.conn.Wait(); err != nil {
				return refused("packet", err)
			}
		}
		if err := p.reading.run(p.drain); err != nil {
			return refused("packet", err)
		}
		now := boottime.Now()
		if ended := ctx.Err() != nil; ended || now.Sub(p.flushed) >= p.cfg.Period {
			p.flush(now)
			if err := p.note(now, ended); err != nil {
				return refused("packet", err)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if p.reading.owes(now) > 0 {
			p.reading.rest(ctx)
		}
	}
}

// deadline is when to go on though no packet comes: never while there is no pair to end.
func (p *Packet) deadline() time.Time {
	switch {
	case len(p.pending) > 0:
		return time.Now().Add(p.cfg.Period - boottime.Now().Sub(p.flushed))
	case len(p.pairs) > 0:
		return time.Now().Add(time.Second)
	}
	return time.Time{}
}

// maxDrained is how many packets are taken before those of before are reported, though more keep coming.
const maxDrained = 1024

// drain takes the packets that are there.
func (p *Packet) drain() error {
	began := boottime.Now()
	var one packet.Packet
	for range maxDrained {
		ok, err := p.conn.Next(&one)
		if err != nil {
			return err
		}
		if !ok {
			p.quiet = began
			return nil
		}
		p.datagram(&one)
	}
	return nil
}

// note publishes the present state, and now and then forgets pairs and asks what was dropped.
func (p *Packet) note(now boottime.Time, ended bool) error {
	if ended || now.Sub(p.swept) >= time.Second {
		p.swept = now
		p.sweep(now)
		drops, err := p.conn.Drops()
		if err != nil {
			return err
		}
		if drops > p.counters.Lost {
			p.counters.Gaps++
		}
		p.counters.Lost = drops
	}
	p.counters.Samples++
	p.counters.Sockets, p.counters.Malformed = uint64(len(p.pairs)), p.conn.Malformed()
	p.publish()
	return nil
}

func (p *Packet) close() {
	// nothing was written to either, so there is nothing a failing close could lose
	if p.diag != nil {
		_ = p.diag.Close()
	}
	_ = p.conn.Close()
}
