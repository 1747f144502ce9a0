package candidate

import (
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Grading is what a verdict rests on beside the history. All of it reads memory only; what is nil knows nothing.
type Grading struct {
	// Inventory returns the rules of now; nil for none.
	Inventory func() *inventory.Set
	// Process and Facts describe a process; both may learn more with time, and forget it. Without Facts nobody can examine
	// processes, and that they were not speaks for nothing.
	Process func(process.ID) (process.Info, bool)
	Facts   func(process.ID) (process.Facts, bool)
	// Hostname is the name of an address, and where that is known from.
	Hostname func(netip.Addr) (name, source string)
	// NewProgram and NewDestination: first seen on this host within inventory.Recent. Listens: it has a listening socket
	// that is not loopback.
	NewProgram     func(process.Program) bool
	NewDestination func(send.Destination) bool
	Listens        func(process.Program) bool
	Clock          boottime.Clock
}

func (g Grading) withDefaults() (Grading, error) {
	if g.Inventory == nil {
		none, err := inventory.Load(inventory.Files{})
		if err != nil {
			return g, err
		}
		g.Inventory = func() *inventory.Set { return none }
	}
	if g.Process == nil {
		g.Process = func(process.ID) (process.Info, bool) { return process.Info{}, false }
	}
	if g.Hostname == nil {
		g.Hostname = func(netip.Addr) (string, string) { return "", "" }
	}
	if g.NewProgram == nil {
		g.NewProgram = func(process.Program) bool { return false }
	}
	if g.NewDestination == nil {
		g.NewDestination = func(send.Destination) bool { return false }
	}
	if g.Listens == nil {
		g.Listens = func(process.Program) bool { return false }
	}
	return g, nil
}

// witness is what was last known of the latest process of a series. A process may be forgotten, or gone before anybody could
// examine it; what is known of another one of the same program that sent to the same destination then stands in for it.
type witness struct {
	id       process.ID
	info     process.Info
	facts    process.Facts
	examined bool // facts are of id
}

// observe returns what is known of the process id of a program now, going on from what was known before.
func (g *Grading) observe(id process.ID, p process.Program, before *witness) *witness {
	w := &witness{id: id}
	if before != nil {
		*w = *before
		w.id, w.examined = id, before.examined && before.id == id
	}
	if info, ok := g.Process(id); ok && info.Program == p {
		w.info = info
	}
	w.info.Program = p // histories outlive what attribution remembers
	if g.Facts == nil {
		return w
	}
	f, ok := g.Facts(id)
	known := f.Examined && (f.PackageKnown || f.Elsewhere)
	switch {
	case !ok:
	case w.examined && (!known || w.facts.EnvironRead && !f.EnvironRead):
		// examined again since it was forgotten, perhaps after its end: what was found first says more
	case f.Examined || !w.facts.Examined:
		w.facts, w.examined = f, known
	}
	return w
}

// complete reports whether more about the process can hardly come.
func (w *witness) complete() bool { return w.examined && w.info.ParentPath != "" }

// subject is what the inventory judges a series by.
func (g *Grading) subject(w *witness, targets []inventory.Target, now time.Time) *inventory.Subject {
	s := &inventory.Subject{Process: w.info, Facts: w.facts, Unexaminable: g.Facts == nil, Targets: targets, Now: now,
		NewProgram: g.NewProgram(w.info.Program), Listens: g.Listens(w.info.Program)}
	for _, t := range targets {
		s.NewDestination = s.NewDestination || g.NewDestination(t.Destination)
	}
	return s
}

func (g *Grading) target(d send.Destination, class send.Class) inventory.Target {
	name, _ := g.Hostname(d.Remote.Addr())
	return inventory.Target{Destination: d, Class: class, Hostname: name}
}

// rhythmOf is the rhythm of a result as the settled codes tell it, so that a grade is as steady as they are.
func rhythmOf(r *beacon.Result) inventory.Rhythm {
	return inventory.Rhythm{Found: r.Codes.Has(beacon.AboveThreshold), Sufficient: !r.Codes.Has(beacon.InsufficientBeats),
		Uniform: r.Codes.Has(beacon.UniformSizes), Period: r.Interval, Second: r.Second}
}
