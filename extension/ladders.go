package main

import (
	"context"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// ladders is how each protocol is watched, best source first.
func ladders(cfg config.Config, meet func(send.Socket)) []sensor.Ladder {
	period := time.Duration(cfg.SamplePeriod)
	tcp := source.TCPConfig{MinPeriod: period, Budget: cfg.CPUBudget, Meet: meet}
	// UDP and raw sockets have no counters to read: a look finds opens and closes only, which their notices tell as well
	udp := source.UDPDiagConfig{MinPeriod: max(period, 250*time.Millisecond), Budget: cfg.CPUBudget / 4}
	// the TCP tables cost ten times a dump: with less than the whole budget they would be read every few seconds
	proc := func(budget float64, least time.Duration, protocols ...send.Protocol) func() (sensor.Source, error) {
		return open(func() (*source.ProcNet, error) {
			return source.NewProcNet(source.ProcNetConfig{Protocols: protocols, MinPeriod: max(period, least), Budget: budget})
		})
	}
	datagrams := source.PacketConfig{Meet: meet}
	tcpRungs := []sensor.Rung{
		{Name: "packet", Level: "L1", Open: open(func() (*source.TriggeredTCP, error) { return source.NewTriggeredTCP(tcp) })},
		{Name: "sock_diag", Level: "L0", Open: open(func() (*source.TCP, error) { return source.NewTCP(tcp) })},
		{Name: "proc", Level: "proc", Open: proc(cfg.CPUBudget, 100*time.Millisecond, send.TCP)},
	}
	udpRungs := []sensor.Rung{
		{Name: "packet", Level: "L1", Open: open(func() (*source.Packet, error) { return source.NewPacket(datagrams) })},
		{Name: "udp_diag", Level: "L0", Open: open(func() (*source.UDPDiag, error) { return source.NewUDPDiag(udp) })},
		{Name: "proc", Level: "proc", Open: proc(cfg.CPUBudget/4, 250*time.Millisecond, send.UDP)},
	}
	rawRungs := []sensor.Rung{
		{Name: "proc", Level: "proc", Open: proc(cfg.CPUBudget/4, time.Second, send.Raw, send.UDPLite)},
	}
	trace := newTracing(tcp)
	switch cfg.Level {
	case "L3":
		tcpRungs = append([]sensor.Rung{{Name: "ebpf", Level: "L3", Open: trace.open(source.EverySend)},
			{Name: "ebpf", Level: "L2", Open: trace.open(source.Connections)}}, tcpRungs...)
		udpRungs = append([]sensor.Rung{{Name: "ebpf", Level: "L3", Open: trace.share("udp")}}, udpRungs...)
		rawRungs = append([]sensor.Rung{{Name: "ebpf", Level: "L3", Open: trace.share("raw")}}, rawRungs...)
	case "L2":
		tcpRungs = append([]sensor.Rung{{Name: "ebpf", Level: "L2", Open: trace.open(source.Connections)}}, tcpRungs...)
	case "L0":
		tcpRungs, udpRungs = tcpRungs[1:], udpRungs[1:]
	case "proc":
		tcpRungs, udpRungs = tcpRungs[2:], udpRungs[2:]
	}
	return []sensor.Ladder{{Protocol: "tcp", Rungs: tcpRungs}, {Protocol: "udp", Rungs: udpRungs}, {Protocol: "raw", Rungs: rawRungs}}
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
