package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/netns"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// ProcNetConfig says how to watch /proc/net. Only Protocols is required.
type ProcNetConfig struct {
	// Protocols are those this source owns: any of TCP, UDP, UDPLite and Raw.
	Protocols []send.Protocol
	Place
	// FS is the proc file system, default /proc. Owner names the task in it whose network namespace is watched, default
	// "thread-self", the caller's in Place.
	FS    procfs.FS
	Owner string
	// MinPeriod, Budget and MaxSockets are as in TCPConfig, with defaults of 100 ms, 0.01 and 65 536.
	MinPeriod  time.Duration
	Budget     float64
	MaxSockets int
}

func (c *ProcNetConfig) setDefaults() error {
	if c.MinPeriod == 0 {
		c.MinPeriod = 100 * time.Millisecond
	}
	if c.Budget == 0 {
		c.Budget = 0.01
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 1 << 16
	}
	if c.FS == (procfs.FS{}) {
		c.FS = procfs.New("")
	}
	if c.Owner == "" {
		c.Owner = "thread-self"
	}
	if len(c.Protocols) == 0 {
		return errors.New("proc: no protocols")
	}
	for _, p := range c.Protocols {
		if procfs.NetTables(uint8(p)) == nil {
			return fmt.Errorf("proc: no table of %v sockets", p)
		}
	}
	if c.MinPeriod < time.Millisecond || c.Budget < 0 || c.Budget > 1 || c.MaxSockets < 1 || c.MaxSockets > 1<<24 {
		return fmt.Errorf("proc: period %v, budget %v, %d sockets: at least 1 ms, in (0, 1], in [1, 2^24]", c.MinPeriod,
			c.Budget, c.MaxSockets)
	}
	return nil
}

// ProcNet is the floor: the socket tables in /proc/net, for what sock_diag does not have (raw, UDP-Lite) and for everything
// where sock_diag is refused. They have no byte counters, no times and no cookies, so every send is Inferred: a socket
// with a peer appeared or went, or a connection attempt failed, some time between two samples. Sockets that live between
// two samples are missed. Sockets no process holds are not looked at.
type ProcNet struct {
	ledger
	cfg    ProcNetConfig
	tables []procTable

	// owned by the goroutine in Run
	emit      Emit
	sockets   map[procKey]*procSocket
	servers   map[procServer]uint32 // the last pass that saw it
	listeners listeners
	fresh     []*procSocket
	pass      uint32
	since     boottime.Time // start of the last pass
	bare      uint64
	pace      pace
	rest      rest
}

type procTable struct {
	*procfs.NetTable
	protocol send.Protocol
}

// NewProcNet opens the tables. Those the kernel does not have are left out; if it has none of them, or denies them, the error
// matches ErrRefused.
func NewProcNet(cfg ProcNetConfig) (*ProcNet, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	p := &ProcNet{cfg: cfg, sockets: make(map[procKey]*procSocket), servers: make(map[procServer]uint32),
		listeners: listeners{seen: make(map[netip.AddrPort]boottime.Time)},
		pace:      pace{min: cfg.MinPeriod, budget: cfg.Budget, share: cfg.Share, where: cfg.NetNSInode}, rest: newRest(cfg.Gate)}
	if err := netns.Do(cfg.NetNS, p.open); err != nil {
		p.close()
		return nil, refused("proc", err)
	}
	var names []string
	for _, protocol := range cfg.Protocols {
		names = append(names, protocol.String())
	}
	slices.Sort(names)
	p.counters = Stats{Name: "proc", Protocol: strings.Join(names, ","), NetNS: cfg.NetNSInode, Quality: send.Inferred}
	p.note()
	return p, nil
}

// open opens the tables.
func (p *ProcNet) open() error {
	var missing error
	for _, protocol := range p.cfg.Protocols {
		for _, name := range procfs.NetTables(uint8(protocol)) {
			table, err := p.cfg.FS.OpenNetTable(p.cfg.Owner, name)
			switch {
			case err == nil:
				p.tables = append(p.tables, procTable{NetTable: table, protocol: protocol})
			case errors.Is(err, fs.ErrNotExist):
				missing = err
			default:
				return err
			}
		}
	}
	if len(p.tables) == 0 {
		return missing
	}
	return nil
}

// Run samples until ctx ends, then returns nil; otherwise it returns why it could not go on. It may be called once.
func (p *ProcNet) Run(ctx context.Context, emit Emit) error {
	p.emit = emit
	defer p.close()
	defer p.pace.rested()
	return p.during(func() error { return p.loop(ctx) })
}

func (p *ProcNet) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	changed := make(chan struct{}, 1)
	defer p.cfg.Gate.OnChange(func() {
		select {
		case changed <- struct{}{}:
		default: // it is to be woken already
		}
	})()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		for p.rest.idle(len(p.sockets)) {
			p.pace.rested()
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
		}
		if err := p.pace.run(p.sample); err != nil {
			return refused("proc", err)
		}
		p.note()
		timer.Reset(p.pace.due.Sub(boottime.Now()))
	}
}

// sample reads all tables once.
func (p *ProcNet) sample() error {
	p.pass++
	p.rest.look()
	var row procfs.NetSocket
	for _, table := range p.tables {
		table.Rewind()
		for table.Next(&row) {
			p.observe(&row, table.protocol)
		}
		if err := table.Err(); err != nil {
			return err
		}
	}
	p.sweep()
	p.since = p.pace.start
	p.counters.Samples++
	return nil
}

// note publishes the present state.
func (p *ProcNet) note() {
	p.pacing(&p.pace)
	p.counters.Sockets, p.counters.Malformed = uint64(len(p.sockets)), 0
	for _, table := range p.tables {
		p.counters.Malformed += table.Malformed()
	}
	p.publish()
}

func (p *ProcNet) close() {
	for _, table := range p.tables {
		_ = table.Close() // only read from
	}
}
