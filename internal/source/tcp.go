package source

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// TCPConfig says how to watch TCP. The zero TCPConfig watches the sensor's own network namespace at a hundredth of a core.
type TCPConfig struct {
	Place
	// MinPeriod is the least distance of two readings of a socket, default 20 ms. Discovery is the distance of complete passes
	// over all sockets, which find new ones, default MinPeriod. Budget is the fraction of one core sampling may cost, default
	// 0.01: complete passes are further apart where it demands that, and nearer where one costs less than reading the
	// sockets known one by one.
	MinPeriod, Discovery time.Duration
	Budget               float64
	// MaxSockets bounds the sockets tracked, default 65 536 (about 15 MB).
	MaxSockets int
	// ReceiveBuffer is for notices of destroyed sockets, default 8 MiB; beyond net.core.rmem_max it needs CAP_NET_ADMIN.
	ReceiveBuffer int
	// TakenOver limits the watch to connections that are there when it begins, and those it is told to Follow, for where another
	// source tells of what is opened later: they are read one by one at the usual pace, and Run ends when the last of them has.
	// Told, if not nil, says whether that source knows a connection: then Run goes on, and Discovery, which is a minute by default
	// here, finds what it missed, connections that it does not know at a second look. OpensOnly: it does not tell what is sent on
	// those it knows, so that those which are there when the watch begins are followed as well.
	TakenOver, OpensOnly bool
	Told                 func(cookie uint64) bool
	// Meet, if not nil, is called on the source's goroutine with each socket first read while it connects: whoever wants
	// to know its owner must look now, for nobody holds it any more when the attempt has failed.
	Meet func(send.Socket)
	// Glimpse, if not nil, is called by TriggeredTCP, on a goroutine of its own, with each socket whose SYN has just left: less than
	// for Meet is at stake, and there is less time.
	Glimpse func(send.Socket)
}

func (c *TCPConfig) setDefaults() error {
	if c.MinPeriod == 0 {
		c.MinPeriod = 20 * time.Millisecond
	}
	if c.Budget == 0 {
		c.Budget = 0.01
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 1 << 16
	}
	if c.Discovery == 0 {
		c.Discovery = c.MinPeriod
		if c.TakenOver {
			c.Discovery = max(c.MinPeriod, time.Minute)
		}
	}
	if c.MinPeriod < time.Millisecond || c.Discovery < c.MinPeriod || c.Budget < 0 || c.Budget > 1 || c.MaxSockets < 1 || c.MaxSockets > 1<<24 {
		return fmt.Errorf("tcp: period %v, discovery %v, budget %v, %d sockets: at least 1 ms, at least the period, in (0, 1], "+
			"in [1, 2^24]", c.MinPeriod, c.Discovery, c.Budget, c.MaxSockets)
	}
	return nil
}

// TCP is sock_diag for TCP over IPv4 and IPv6: a sampler of the counters in tcp_info and the notices of destroyed sockets,
// which share what is known of each socket, so that a socket's last notice yields exactly the bytes no sample saw.
//
// It reports connections opened from this host; see opener and listeners for how it knows. What was sent is the growth of
// bytes_sent − bytes_retrans, when is tcpi_last_data_sent before the reading, right to a jiffy for the last send between two
// readings (Jiffy), to the distance of the readings if there were several or a retransmission may have reset the clock
// (Aggregated).
//
// What it misses: bytes of a connection that was reset by its own program (SO_LINGER 0) since its last reading, and the
// port too if there was no reading; which process held a socket no reading saw; attempts refused before a packet left.
type TCP struct {
	ledger
	cfg    TCPConfig
	conn   *sockdiag.Conn
	events *sockdiag.Events
	clock  *jiffyClock

	// owned by the goroutine in Run
	emit      Emit
	table     *connections
	inbound   int // of table
	listeners listeners
	pass      uint32
	since     boottime.Time // start of the last complete pass
	forgotten boottime.Time // the latest instant up to which a socket we do not know may have been known
	pending   []notice
	broken    int     // passes in a row
	quiet     instant // when the notices were last known to be drained
	deaf      bool    // no notices come, for nothing is left whose end is ours to tell
	unheard   bool    // some were lost since the last complete pass, which finds missing what they told of
	full      pace
	exact     pace
	paying    *pace // that of the pass under way or the last one
	ladder    ladder
	watched   []int32       // slots of connections read one by one
	chosen    boottime.Time // when they were
	get       time.Duration // what an exact reading costs
	rest      rest
	following follow
	due       []int32 // scratch
	queries   []sockdiag.Query
	scratch   connection
}

// NewTCP opens the kernel's interface and tries it. The error matches ErrRefused if the kernel does not serve it.
func NewTCP(cfg TCPConfig) (*TCP, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	t := &TCP{cfg: cfg, clock: newJiffyClock(), table: newConnections(cfg.MaxSockets),
		listeners: listeners{seen: make(map[netip.AddrPort]boottime.Time)},
		rest:      newRest(cfg.Gate), ladder: ladder{least: cfg.MinPeriod}, get: usualGet,
		full:  pace{min: cfg.MinPeriod, budget: cfg.Budget * (1 - overhead), share: cfg.Share, where: cfg.NetNSInode},
		exact: pace{min: cfg.MinPeriod, budget: cfg.Budget * (1 - overhead), share: cfg.Share, where: cfg.NetNSInode, awake: true}}
	t.paying = &t.full
	t.counters = Stats{Name: "sock_diag", Protocol: "tcp", NetNS: cfg.NetNSInode, Quality: send.Jiffy,
		Resolution: t.clock.jiffy}
	var err error
	if t.events, err = sockdiag.Subscribe(sockdiag.Config{NetNS: cfg.NetNS, ReceiveBuffer: cfg.ReceiveBuffer},
		sockdiag.TCPDestroyed, sockdiag.TCP6Destroyed); err != nil {
		return nil, refused("tcp", err)
	}
	if t.conn, err = sockdiag.Dial(sockdiag.Config{NetNS: cfg.NetNS}); err != nil {
		return nil, refused("tcp", errors.Join(err, t.events.Close()))
	}
	if err := t.readListeners(); err != nil {
		return nil, refused("tcp", errors.Join(err, t.conn.Close(), t.events.Close()))
	}
	t.note()
	return t, nil
}

// Run samples until ctx ends, or all connections taken over have, then returns nil; otherwise it returns why it could not go on.
// It may be called once.
func (t *TCP) Run(ctx context.Context, emit Emit) error {
	t.emit = emit
	defer t.close()
	defer t.full.rested()
	defer context.AfterFunc(ctx, t.events.Interrupt)()
	defer t.cfg.Gate.OnChange(t.events.Interrupt)()
	return t.during(func() error { return t.loop(ctx) })
}

func (t *TCP) loop(ctx context.Context) error {
	t.quiet = t.clock.read()
	if err := t.sample(); err != nil {
		return err
	}
	for !t.finished() {
		t.adoptFollowed()
		resting := t.idle()
		var deadline time.Time
		if resting {
			t.full.rested()
		} else {
			deadline = time.Now().Add(t.clock.afterTick(min(t.full.due, t.exact.due)).Sub(boottime.Now()))
		}
		if err := t.events.SetDeadline(deadline); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if !t.woken(resting) {
			if err := t.awaitNotices(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		var err error
		switch now := boottime.Now(); {
		case t.idle():
			t.note()
		case t.unheard || now >= t.full.due:
			err = t.sample()
		case now >= t.exact.due:
			err = t.sampleKnown()
		default:
			t.note()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// woken reports whether there is something to do that came before the deadline was set.
func (t *TCP) woken(resting bool) bool { return t.unheard || t.following.any() || resting && !t.idle() }

// sample makes a complete pass, and plans from what it cost.
func (t *TCP) sample() error {
	t.paying = &t.full
	if err := t.full.run(t.samplePass); err != nil {
		return err
	}
	t.choose(boottime.Now())
	t.note()
	return nil
}

// sampleKnown makes a pass of exact readings.
func (t *TCP) sampleKnown() error {
	t.paying = &t.exact
	if err := t.exact.run(t.sampleExact); err != nil {
		return err
	}
	t.measure()
	if now := boottime.Now(); now.Sub(t.chosen) >= replan {
		t.choose(now)
	} else {
		t.schedule()
	}
	t.note()
	return nil
}

// idle reports whether there is nothing to sample, now or by another pass.
func (t *TCP) idle() bool { return t.rest.idle(len(t.table.index)) }

// finished reports whether there is nothing left to watch, nor ever will be.
func (t *TCP) finished() bool { return t.complete() && t.cfg.Told == nil && len(t.table.index) == 0 }

// complete reports whether no further connection is to be adopted.
func (t *TCP) complete() bool { return t.cfg.TakenOver && t.counters.Samples > 0 }

// note publishes the present state.
func (t *TCP) note() {
	t.pacing(&t.full)
	if t.cfg.TakenOver {
		t.counters.MaxGap = 0 // another source looks
	}
	t.counters.Sockets = uint64(len(t.table.index))
	t.counters.Malformed = t.conn.Malformed() + t.events.Malformed()
	t.publish()
}

func (t *TCP) close() {
	// nothing was written to either, so there is nothing a failing close could lose
	_ = t.conn.Close()
	_ = t.events.Close()
}
