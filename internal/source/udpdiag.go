package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// UDPDiagConfig says how to watch UDP; the fields mean what they mean in TCPConfig. The default MinPeriod is 100 ms, the
// default Budget 0.0025, the default MaxSockets 16 384.
type UDPDiagConfig struct {
	Place
	MinPeriod     time.Duration
	Budget        float64
	MaxSockets    int
	ReceiveBuffer int
}

func (c *UDPDiagConfig) setDefaults() error {
	if c.MinPeriod == 0 {
		c.MinPeriod = 100 * time.Millisecond
	}
	if c.Budget == 0 {
		c.Budget = 0.0025
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 1 << 14
	}
	if c.MinPeriod < time.Millisecond || c.Budget < 0 || c.Budget > 1 || c.MaxSockets < 1 || c.MaxSockets > 1<<24 {
		return fmt.Errorf("udp: period %v, budget %v, %d sockets: at least 1 ms, in (0, 1], in [1, 2^24]", c.MinPeriod,
			c.Budget, c.MaxSockets)
	}
	return nil
}

// UDPDiag is sock_diag for UDP over IPv4 and IPv6: when a socket is given a peer and when it is closed, from samples and from
// the notices of destroyed sockets. The kernel counts no bytes for UDP sockets, so every send is Inferred and carries
// none; sockets that never connect name no peer and are only counted. A connected socket on the port of an unconnected
// one belongs to a server and is taken as opened from elsewhere.
type UDPDiag struct {
	ledger
	cfg    UDPDiagConfig
	conn   *sockdiag.Conn
	events *sockdiag.Events

	// owned by the goroutine in Run
	emit    Emit
	sockets map[uint64]*peer
	servers map[uint16]uint32 // local port of an unconnected socket → the last pass that saw it
	bare    uint64            // unconnected sockets in the pass under way
	fresh   []*peer           // sockets the pass under way met first
	pass    uint32
	since   boottime.Time // start of the last pass
	pace    pace
	rest    rest
}

// peer is what is remembered of one connected UDP socket.
type peer struct {
	socket  send.Socket
	pass    uint32
	missed  bool // by the last pass
	inbound bool
}

// NewUDPDiag opens the kernel's interface and tries it. The error matches ErrRefused if the kernel does not serve it.
func NewUDPDiag(cfg UDPDiagConfig) (*UDPDiag, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	u := &UDPDiag{cfg: cfg, sockets: make(map[uint64]*peer), servers: make(map[uint16]uint32),
		pace: pace{min: cfg.MinPeriod, budget: cfg.Budget, share: cfg.Share, where: cfg.NetNSInode}, rest: newRest(cfg.Gate)}
	u.counters = Stats{Name: "sock_diag", Protocol: "udp", NetNS: cfg.NetNSInode, Quality: send.Inferred}
	var err error
	if u.events, err = sockdiag.Subscribe(sockdiag.Config{NetNS: cfg.NetNS, ReceiveBuffer: cfg.ReceiveBuffer},
		sockdiag.UDPDestroyed, sockdiag.UDP6Destroyed); err != nil {
		return nil, refused("udp", err)
	}
	if u.conn, err = sockdiag.Dial(sockdiag.Config{NetNS: cfg.NetNS}); err != nil {
		return nil, refused("udp", errors.Join(err, u.events.Close()))
	}
	if err := u.walk(func(*sockdiag.Socket) {}); err != nil {
		return nil, refused("udp", errors.Join(err, u.conn.Close(), u.events.Close()))
	}
	u.note()
	return u, nil
}

// Run samples until ctx ends, then returns nil; otherwise it returns why it could not go on. It may be called once.
func (u *UDPDiag) Run(ctx context.Context, emit Emit) error {
	u.emit = emit
	defer u.close()
	defer u.pace.rested()
	defer context.AfterFunc(ctx, u.events.Interrupt)()
	defer u.cfg.Gate.OnChange(u.events.Interrupt)()
	return u.during(func() error { return u.loop(ctx) })
}

func (u *UDPDiag) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		if !u.idle() && boottime.Now() >= u.pace.due {
			if err := u.pace.run(u.sample); err != nil {
				return err
			}
			u.note()
		}
		if err := u.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await handles notices until the next sample is due, or with nothing to watch until something changes.
func (u *UDPDiag) await(ctx context.Context) error {
	resting := u.idle()
	var deadline time.Time
	if !resting {
		deadline = time.Now().Add(u.pace.due.Sub(boottime.Now()))
	}
	if err := u.events.SetDeadline(deadline); err != nil {
		return err
	}
	if ctx.Err() != nil || resting && !u.idle() {
		return nil
	}
	if resting {
		u.pace.rested()
	}
	if _, err := u.events.Wait(); err != nil {
		return refused("udp", err)
	}
	return u.handleNotices()
}

// idle reports whether there is nothing to sample, now or by another pass.
func (u *UDPDiag) idle() bool { return u.rest.idle(len(u.sockets)) }

// sample reads all UDP sockets once. Notices are handled before it only: one that comes while it runs must not be taken
// for news about a socket the walk has yet to show.
func (u *UDPDiag) sample() error {
	if err := u.handleNotices(); err != nil {
		return err
	}
	u.pass++
	u.rest.look()
	if err := u.walk(u.observe); err != nil {
		return refused("udp", err)
	}
	u.sweep()
	u.since = u.pace.start
	u.counters.Samples++
	return nil
}

func (u *UDPDiag) walk(visit func(*sockdiag.Socket)) error {
	var s sockdiag.Socket
	for _, family := range [...]uint8{unix.AF_INET, unix.AF_INET6} {
		dump, err := u.conn.DumpUDP(family, sockdiag.UDPSockets)
		if err != nil {
			return err
		}
		for dump.Receive() {
			for dump.Next(&s) {
				visit(&s)
			}
		}
		if err := dump.Err(); err != nil {
			return err
		}
	}
	return nil
}
