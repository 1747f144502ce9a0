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
	// MinPeriod is the least distance of two samples, default 20 ms. Budget is the fraction of one core sampling may
	// cost, default 0.01; the period grows until it keeps to it.
	MinPeriod time.Duration
	Budget    float64
	// MaxSockets bounds the sockets tracked, default 65 536 (about 15 MB).
	MaxSockets int
	// ReceiveBuffer is for notices of destroyed sockets, default 8 MiB; beyond net.core.rmem_max it needs CAP_NET_ADMIN.
	ReceiveBuffer int
	// TakenOver limits the watch to connections that are there when it begins, for where another source tells of those opened
	// since: they are read one by one at the usual pace, and there is no further walk over all sockets.
	TakenOver bool
	// Meet, if not nil, is called on the source's goroutine with each socket first read while it connects: whoever wants
	// to know its owner must look now, for nobody holds it any more when the attempt has failed.
	Meet func(send.Socket)
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
	if c.MinPeriod < time.Millisecond || c.Budget < 0 || c.Budget > 1 || c.MaxSockets < 1 || c.MaxSockets > 1<<24 {
		return fmt.Errorf("tcp: period %v, budget %v, %d sockets: at least 1 ms, in (0, 1], in [1, 2^24]", c.MinPeriod,
			c.Budget, c.MaxSockets)
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
	full, hot pace
	rest      rest
	hotSet    []int32
	slots     []int32 // scratch
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
		rest:      newRest(cfg.Gate),
		full:      pace{min: cfg.MinPeriod, budget: cfg.Budget * fullShare, share: cfg.Share},
		hot:       pace{min: cfg.MinPeriod, budget: cfg.Budget * (1 - fullShare), share: cfg.Share, awake: true}}
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
	if err := t.full.run(t.samplePass); err != nil {
		return err
	}
	t.note()
	for !t.complete() || len(t.table.index) > 0 {
		due := t.full.due
		hot := len(t.hotSet) > 0 && t.hot.period() < t.full.period()/2
		if hot {
			due = min(due, t.hot.due)
		}
		resting := t.idle()
		var deadline time.Time
		if !resting {
			deadline = time.Now().Add(t.clock.afterTick(due).Sub(boottime.Now()))
		}
		if err := t.events.SetDeadline(deadline); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if !resting || t.idle() { // else it was woken before it lay down
			if err := t.awaitNotices(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if resting {
			t.full.rested()
		}
		var err error
		switch now := boottime.Now(); {
		case t.idle():
		case now >= t.full.due:
			err = t.full.run(t.samplePass)
		case hot && now >= t.hot.due:
			err = t.hot.run(t.sampleHot)
		}
		if err != nil {
			return err
		}
		t.note()
	}
	return nil
}

// idle reports whether there is nothing to sample, now or by another pass.
func (t *TCP) idle() bool { return t.rest.idle(len(t.table.index)) }

// complete reports whether no further connection is to be adopted.
func (t *TCP) complete() bool { return t.cfg.TakenOver && t.counters.Samples > 0 }

// note publishes the present state.
func (t *TCP) note() {
	t.pacing(&t.full)
	t.counters.Sockets = uint64(len(t.table.index))
	t.counters.Malformed = t.conn.Malformed() + t.events.Malformed()
	t.publish()
}

func (t *TCP) close() {
	// nothing was written to either, so there is nothing a failing close could lose
	_ = t.conn.Close()
	_ = t.events.Close()
}
