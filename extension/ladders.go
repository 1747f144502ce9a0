package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/namespace"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// lookout is how this host is watched: in the sensor's own network namespace and in the others.
type lookout struct {
	cfg config.Config
	// meet is told of sockets whose owner must be looked for at once, glimpse of those for which there is even less time.
	meet, glimpse func(send.Socket)
	hasten        func() // for the sake of glimpse
	trace         *tracing
	// the budget of each protocol is one for all namespaces
	tcpShare, udpShare, rawShare source.Share
}

// sampling is the part of the CPU budget that samples of TCP may take; those of UDP and of raw sockets a quarter of it each.
const sampling = 0.75

// newLookout decides by the configuration.
func newLookout(cfg config.Config, meet, glimpse func(send.Socket)) *lookout {
	l := &lookout{cfg: cfg, meet: meet, glimpse: glimpse, hasten: sync.OnceFunc(hasten)}
	l.trace = newTracing(l.tcp(source.Place{}))
	return l
}

// shares are those of all protocols.
func (l *lookout) shares() []*source.Share {
	return []*source.Share{&l.tcpShare, &l.udpShare, &l.rawShare}
}

// own are the ladders of the sensor's own network namespace, best source first. The programs of eBPF see the others as well.
func (l *lookout) own() []sensor.Ladder {
	ladders := l.trace.yieldingAll(l.plain(source.Place{}, ""))
	tcp, udp, raw := &ladders[0].Rungs, &ladders[1].Rungs, &ladders[2].Rungs
	switch l.cfg.Level {
	case "L3":
		*tcp = append([]sensor.Rung{{Name: "ebpf", Level: "L3", Open: l.trace.open(source.EverySend)},
			{Name: "ebpf", Level: "L2", Open: l.trace.open(source.Connections)}}, *tcp...)
		*udp = append([]sensor.Rung{{Name: "ebpf", Level: "L3", Open: l.trace.share("udp")}}, *udp...)
		*raw = append([]sensor.Rung{{Name: "ebpf", Level: "L3", Open: l.trace.share("raw")}}, *raw...)
	case "L2":
		*tcp = append([]sensor.Rung{{Name: "ebpf", Level: "L2", Open: l.trace.open(source.Connections)}}, *tcp...)
	}
	return ladders
}

// tcp configures what watches TCP by sock_diag.
func (l *lookout) tcp(in source.Place) source.TCPConfig {
	in.Share = &l.tcpShare
	return source.TCPConfig{Place: in, MinPeriod: time.Duration(l.cfg.SamplePeriod), Budget: l.cfg.CPUBudget * sampling, Meet: l.meet, Glimpse: l.glimpse}
}

// plain are the ladders of one network namespace without eBPF: those of TCP, UDP and raw sockets, in this order. owner is a
// process in it, where the sensor may not enter it; empty for the sensor's own.
func (l *lookout) plain(in source.Place, owner string) []sensor.Ladder {
	cfg := l.cfg
	period, budget := time.Duration(cfg.SamplePeriod), cfg.CPUBudget*sampling
	tcp := l.tcp(in)
	in.Share = &l.udpShare
	datagrams := source.PacketConfig{Place: in, Meet: l.glimpse}
	// UDP and raw sockets have no counters to read: a look finds opens and closes only, which their notices tell as well
	udp := source.UDPDiagConfig{Place: in, MinPeriod: max(period, 250*time.Millisecond), Budget: budget / 4}
	proc := func(share *source.Share, budget float64, least time.Duration, protocols ...send.Protocol) sensor.Rung {
		in.Share = share
		cfg := source.ProcNetConfig{Place: in, Protocols: protocols, MinPeriod: max(period, least), Budget: budget}
		return sensor.Rung{Name: "proc", Level: "proc", Open: open(func() (*source.ProcNet, error) {
			p, err := source.NewProcNet(cfg)
			if owner != "" && errors.Is(err, unix.EPERM) { // it may be looked at all the same
				cfg := cfg
				cfg.Owner, cfg.NetNS = owner, 0
				p, err = source.NewProcNet(cfg)
			}
			return p, err
		})}
	}
	tcpRungs := []sensor.Rung{
		{Name: "packet", Level: "L1", Open: open(func() (*source.TriggeredTCP, error) {
			l.hasten()
			return source.NewTriggeredTCP(tcp)
		})},
		{Name: "sock_diag", Level: "L0", Open: open(func() (*source.TCP, error) { return source.NewTCP(tcp) })},
		// the TCP tables cost ten times a dump: with less than the whole budget they would be read every few seconds
		proc(&l.tcpShare, budget, 100*time.Millisecond, send.TCP),
	}
	udpRungs := []sensor.Rung{
		{Name: "packet", Level: "L1", Open: open(func() (*source.Packet, error) { return source.NewPacket(datagrams) })},
		{Name: "udp_diag", Level: "L0", Open: open(func() (*source.UDPDiag, error) { return source.NewUDPDiag(udp) })},
		proc(&l.udpShare, budget/4, 250*time.Millisecond, send.UDP),
	}
	rawRungs := []sensor.Rung{proc(&l.rawShare, budget/4, time.Second, send.Raw, send.UDPLite)}
	switch cfg.Level {
	case "L0":
		tcpRungs, udpRungs = tcpRungs[1:], udpRungs[1:]
	case "proc":
		tcpRungs, udpRungs = tcpRungs[2:], udpRungs[2:]
	}
	return []sensor.Ladder{{Protocol: "tcp", NetNS: in.NetNSInode, Rungs: tcpRungs}, {Protocol: "udp", NetNS: in.NetNSInode, Rungs: udpRungs},
		{Protocol: "raw", NetNS: in.NetNSInode, Rungs: rawRungs}}
}

// elsewhere are the ladders of another network namespace: what the programs of eBPF do not tell of it. At L3 that is TCP
// connections that were there before them, at L2 also what goes on in connections, UDP and raw sockets.
func (l *lookout) elsewhere(n namespace.Namespace, t told) []sensor.Ladder {
	in := source.Place{NetNS: int(n.File.Fd()), NetNSInode: n.Inode, Gate: n.Gate}
	ladders := l.plain(in, strconv.Itoa(int(n.PID)))
	tcp, udp, raw := ladders[0], ladders[1], ladders[2]
	ladders = nil
	switch every := t.by != nil && t.by.Level() == source.EverySend; {
	case every && !n.Found: // it is younger than the programs
	case t.by != nil:
		cfg := l.tcp(in)
		cfg.TakenOver = true
		if !every {
			cfg.Told, cfg.OpensOnly = t.by.tells, true
		}
		tcp.Rungs = []sensor.Rung{{Name: "sock_diag", Level: "L0", Open: open(func() (follower, error) {
			s, err := source.NewTCP(cfg)
			return follower{s, t.by, n.Inode}, err
		})}}
		fallthrough
	default:
		ladders = append(ladders, tcp)
	}
	if !t.udp {
		ladders = append(ladders, udp)
	}
	if !t.raw {
		ladders = append(ladders, raw)
	}
	return l.trace.yieldingAll(ladders)
}

// watcher is what every source of package source offers.
type watcher interface {
	Run(ctx context.Context, emit source.Emit) error
	Stats() source.Stats
}

// open turns a constructor of package source into a rung's.
func open[T watcher](newSource func() (T, error)) func() (sensor.Source, error) {
	return func() (sensor.Source, error) {
		s, err := newSource()
		if err != nil {
			return nil, err
		}
		return rung{s}, nil
	}
}

// rung shows a source to the sensor.
type rung struct{ watcher }

// Stats picks what the status tables show.
func (r rung) Stats() sensor.SourceStats {
	s := r.watcher.Stats()
	return sensor.SourceStats{Events: s.Events, Bytes: s.Bytes, Lost: s.Lost, Gaps: s.Gaps,
		Samples: s.Samples, LateSamples: s.LateSamples, SamplePeriod: s.SamplePeriod, MaxGap: s.MaxGap,
		Resolution: s.Resolution, Passive: s.Passive, NoDestination: s.NoDestination, Untracked: s.Untracked}
}
