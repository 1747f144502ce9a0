// Package simulate makes labelled outbound traffic: seeded schedules of the implants and of the benign software this
// project is about, and honest live senders that put such traffic on real sockets. It knows nothing of how flows are
// scored: a class is written from the description of what the software does, never from what a scorer finds hard.
package simulate

import (
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"strconv"
	"time"
)

// Kind says how a class of traffic counts when a scorer is judged.
type Kind uint8

// Implant is beaconing, to be found. Aperiodic is benign traffic without a timer behind it, not to be reported. Periodic
// is benign software on a timer: its timing is that of an implant, so it is counted by itself and never as a false alarm
// of timing.
const (
	Implant Kind = iota
	Aperiodic
	Periodic
)

// String returns the lower-case name.
func (k Kind) String() string {
	switch k {
	case Implant:
		return "implant"
	case Aperiodic:
		return "aperiodic"
	case Periodic:
		return "periodic"
	}
	return "unknown"
}

// Flow is what one program sent to one destination (or, where Peer is set, to several) while it was watched. At is
// sorted, relative to the start of the window, rounded down to Resolution and inside [0, Window]. Bytes has the length of
// At. Peer, if not nil, has it too and numbers the destination of each send. HeldOut repeats that of the class.
type Flow struct {
	ID         string
	Class      string
	Kind       Kind
	HeldOut    bool
	Window     time.Duration
	Resolution time.Duration
	At         []time.Duration
	Bytes      []uint64
	Peer       []uint16
}

// Class is one kind of traffic. The parameters of every flow (period, jitter, sizes, length) are drawn anew from the
// ranges that software uses. HeldOut classes are for judging only: nobody chooses a weight by looking at them.
type Class struct {
	Name    string
	About   string
	Kind    Kind
	HeldOut bool
	draw    func(*script)
}

// Classes returns every class, always in the same order. The slice is the caller's.
func Classes() []Class {
	var all []Class
	all = append(all, implants()...)
	all = append(all, troubledImplants()...)
	all = append(all, heldOutImplants()...)
	all = append(all, harderImplants()...)
	all = append(all, interactive()...)
	all = append(all, services()...)
	all = append(all, randomProcesses()...)
	all = append(all, heldOutBenign()...)
	return append(all, timers()...)
}

// Flow returns flow number i of the class. The same class, seed and number give the same flow.
func (c Class) Flow(seed uint64, i int) Flow {
	s := newScript(seed, c.Name, i)
	c.draw(s)
	f := s.finish()
	f.ID, f.Class, f.Kind, f.HeldOut = c.Name+"-"+strconv.Itoa(i), c.Name, c.Kind, c.HeldOut
	return f
}

// Flows yields n flows of every class in the order of Classes.
func Flows(seed uint64, n int) iter.Seq[Flow] {
	return func(yield func(Flow) bool) {
		for _, c := range Classes() {
			for i := range n {
				if !yield(c.Flow(seed, i)) {
					return
				}
			}
		}
	}
}

func newScript(seed uint64, name string, i int) *script {
	h := fnv.New64a()
	h.Write([]byte(name))
	return &script{Rand: rand.New(rand.NewPCG(seed+uint64(i)*0x9e3779b97f4a7c15, h.Sum64()))}
}
