package main

import (
	"cmp"
	"errors"

	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/procevent"
	"github.com/beaconwatch/beaconwatch/internal/source"
)

// programs are the parts of levels L2 and L3, and what each buys or costs.
var programs = []struct {
	part   string
	level  source.Level
	effect string
}{
	{bpf.States, source.Connections, "buys level L2: who opens each TCP connection and what it carried; without it brief processes stay unknown."},
	{bpf.SendCalls, source.EverySend, "buys level L3: every send of TCP, UDP and raw sockets, with its time and its sender; it needs Linux 6.3."},
	{bpf.Peers4, source.EverySend, peersEffect}, {bpf.Peers6, source.EverySend, peersEffect},
	{bpf.Hears4, source.EverySend, hearsEffect}, {bpf.Hears6, source.EverySend, hearsEffect},
}

const (
	peersEffect = "buys where unconnected UDP sockets send to; without it that is read from the memory of the program (quality inferred), and " +
		"stays unknown for sendmmsg and io_uring."
	hearsEffect = "buys who spoke first on a UDP socket bound to a port; without it ports decide whether it answers (quality inferred)."
)

// programFindings asks the kernel for each program of the levels that cfg allows.
func programFindings(cfg config.Config) []finding {
	highest := map[string]source.Level{"L2": source.Connections, "L3": source.EverySend}[cfg.Level]
	if highest == 0 {
		return nil
	}
	refusals := askForPrograms(highest)
	var found []finding
	for _, p := range programs {
		if p.level > highest {
			continue
		}
		f := finding{Name: p.part, Value: "granted", OK: true, Effect: p.effect}
		why := cmp.Or(refusals[bpf.States], refusals[p.part])
		if p.level == source.EverySend {
			why = cmp.Or(why, refusals[bpf.SendCalls])
		}
		if why != "" {
			f.Value, f.OK = why, false
		}
		found = append(found, f)
	}
	return found
}

// askForPrograms attaches them once, and returns what the kernel refused.
func askForPrograms(highest source.Level) (refusals map[string]string) {
	e, err := source.NewEBPF(source.EBPFConfig{MaxLevel: highest, Cgroup: cgroup2Root()})
	if err != nil {
		return map[string]string{bpf.States: refusedWith(err)}
	}
	defer e.Close()
	refusals = map[string]string{}
	if err := e.Hear(); err != nil {
		refusals[bpf.Hears4], refusals[bpf.Hears6] = refusedWith(err), refusedWith(err)
	}
	for _, m := range e.Missing() {
		refusals[m.Source] = refusedWith(m)
	}
	return refusals
}

// processEvents asks for the proc connector.
func processEvents() finding {
	f := finding{Name: "process events", Value: "granted", OK: true, Effect: "buys the name, parent and " +
		"command line of processes that are gone when a send of theirs is looked at; without them those sends have a PID only. The proc connector " +
		"tells them in the first PID and user namespace, to CAP_NET_ADMIN before Linux 6.6."}
	conn, err := procevent.Open(procevent.Config{})
	if err != nil {
		f.Value, f.OK = refusedWith(err), false
		if errors.Is(err, procevent.ErrSilent) {
			f.Value = "not told here"
		}
		return f
	}
	if err := conn.Close(); err != nil {
		f.Value, f.OK = err.Error(), false
	}
	return f
}
