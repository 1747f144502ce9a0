package source

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// TriggeredTCP is L1 for TCP: all that TCP tells, and beside it a packet socket on which the SYN of each connection opened from
// here shows at once. The socket behind a SYN is read and handed to Glimpse while its process is most likely still there; by
// samples alone, who connects, sends and exits between two of them is never known. It emits what TCP emits and nothing else.
//
// What it misses: the owner of a connection whose process has exited, or closed it, before Glimpse has looked; SYNs that found the
// receive buffer full, which are counted as Lost.
type TriggeredTCP struct {
	*TCP
	syns *syns
}

// NewTriggeredTCP opens both sockets. The error matches ErrRefused if the kernel does not serve either.
func NewTriggeredTCP(cfg TCPConfig) (*TriggeredTCP, error) {
	tcp, err := NewTCP(cfg)
	if err != nil {
		return nil, err
	}
	s, err := newSYNs(tcp.cfg)
	if err != nil {
		tcp.close()
		return nil, err
	}
	return &TriggeredTCP{TCP: tcp, syns: s}, nil
}

// Run samples until ctx ends, then returns nil; otherwise it returns why it could not go on. It may be called once.
func (t *TriggeredTCP) Run(ctx context.Context, emit Emit) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- t.syns.run(ctx)
	}()
	err := t.TCP.Run(ctx, func(s send.Send) {
		if s.Socket.Inode == 0 { // over before a sample saw it
			t.syns.settle(s.At)
		}
		emit(s)
	})
	stop()
	return errors.Join(err, <-ended)
}

// Stats is that of TCP, with the SYNs lost.
func (t *TriggeredTCP) Stats() Stats {
	s := t.TCP.Stats()
	s.Name = "packet"
	s.Lost += t.syns.lost.Load()
	return s
}

// syns reads the SYNs of one network namespace.
type syns struct {
	cfg  TCPConfig
	conn *packet.Conn
	diag *sockdiag.Conn
	lost atomic.Uint64
	// patience bounds the wait for the owner of a connection that is over while its SYN is still being looked at.
	patience time.Duration
	// handled is the instant up to which every SYN has been looked at.
	handled atomic.Int64

	reading allowance
	queries []sockdiag.Query
	found   []send.Socket
	waiting rendezvous
}

func newSYNs(cfg TCPConfig) (*syns, error) {
	conn, err := packet.Open(packet.Config{NetNS: cfg.NetNS, Want: packet.SYNs})
	if err != nil {
		return nil, refused("packet", err)
	}
	diag, err := sockdiag.Dial(sockdiag.Config{NetNS: cfg.NetNS})
	if err != nil {
		return nil, refused("packet", errors.Join(err, conn.Close()))
	}
	return &syns{cfg: cfg, conn: conn, diag: diag, patience: 20 * time.Millisecond,
		reading: allowance{budget: cfg.Budget, share: cfg.Share}}, nil
}

// run looks at SYNs until ctx ends, and closes.
func (s *syns) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.conn.Interrupt)()
	err := s.loop(ctx)
	s.waiting.end()
	return errors.Join(err, s.conn.Close(), s.diag.Close())
}

func (s *syns) loop(ctx context.Context) error {
	for {
		if err := s.conn.SetDeadline(time.Time{}); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if !s.waiting.awaited() {
			if _, err := s.conn.Wait(); err != nil {
				return refused("packet", err)
			}
		}
		if err := s.reading.run(s.drain); err != nil {
			return refused("packet", err)
		}
		if s.reading.owes(boottime.Now()) > 0 {
			s.handled.Store(math.MaxInt64) // nobody waits for this
			s.waiting.take()()
			s.reading.rest(ctx)
			s.handled.Store(0)
		}
	}
}

// drain looks at all SYNs that are there.
func (s *syns) drain() error {
	defer s.waiting.take()() // who waits now is let go at the end
	for {
		now := boottime.Now()
		if err := s.receive(); err != nil {
			return err
		}
		if len(s.queries) == 0 {
			s.handled.Store(int64(now))
			drops, err := s.conn.Drops()
			s.lost.Store(drops)
			return err
		}
		if err := s.look(); err != nil {
			return err
		}
	}
}

// receive makes a query of each SYN, up to a batch of them; not of those that have waited so long, while there was no budget, that a sample
// has shown the socket, or nobody holds it any more: looking at them would use up what is for those to come.
func (s *syns) receive() error {
	s.queries = s.queries[:0]
	late := boottime.Now().Add(-s.cfg.MinPeriod)
	var one packet.Packet
	for len(s.queries) < sockdiag.MaxBatch {
		ok, err := s.conn.Next(&one)
		if err != nil || !ok {
			return err
		}
		if boottime.Time(one.At) < late {
			continue
		}
		s.queries = append(s.queries, sockdiag.Query{Local: one.Local, Remote: one.Remote, Interface: one.Interface,
			Cookie: sockdiag.AnyCookie, Bare: true})
	}
	return nil
}

// look reads the sockets of the queries and hands them to Glimpse, the latest first: it is the likeliest to have an owner still.
func (s *syns) look() error {
	replies, err := s.diag.Get(s.queries)
	if err != nil {
		return err
	}
	s.found = s.found[:0]
	var one sockdiag.Socket
	for {
		reply, ok := replies.Next(&one)
		if !ok {
			break
		}
		if reply.Found && one.Inode != 0 {
			s.found = append(s.found, send.Socket{Cookie: one.Cookie, Inode: uint64(one.Inode), NetNS: s.cfg.NetNSInode,
				UID: one.UID, Protocol: send.TCP, Local: one.Local, Remote: one.Remote})
		}
	}
	if s.cfg.Glimpse == nil {
		return nil
	}
	s.reading.aside(func() {
		for _, socket := range slices.Backward(s.found) {
			s.cfg.Glimpse(socket)
		}
	})
	return nil
}

// settle waits, for a moment, until every SYN sent by then has been looked at.
func (s *syns) settle(by boottime.Time) {
	if s.handled.Load() < int64(by) {
		_ = s.waiting.wait(s.patience, s.conn.Interrupt) // if it is in vain the owner may stay unknown
	}
}
