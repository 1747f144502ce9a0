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

// Use says what a class may be used for: the weights of a scorer are chosen by looking at the Tuned ones, HeldOut ones are
// for judging only. Unseen ones are held out in the strictest sense: they were written when all weights had been chosen, and
// no choice since has looked at them.
type Use uint8

// The uses of a class.
const (
	Tuned Use = iota
	HeldOut
	Unseen
)

// String returns the name in words.
func (u Use) String() string {
	switch u {
	case Tuned:
		return "tuned"
	case HeldOut:
		return "held out"
	case Unseen:
		return "unseen"
	}
	return "unknown"
}

// Flow is what one program sent to one destination (or, where Peer is set, to several) while it was watched. At is
// sorted, relative to the start of the window, rounded down to Resolution and inside [0, Window]. Bytes has the length of
// At. Peer, if not nil, has it too and numbers the destination of each send. Kind and Use repeat those of the class.
type Flow struct {
	ID         string
	Class      string
	Kind       Kind
	Use        Use
	Window     time.Duration
	Resolution time.Duration
	At         []time.Duration
	Bytes      []uint64
	Peer       []uint16
}

// Class is one kind of traffic. The parameters of every flow (period, jitter, sizes, length) are drawn anew from the
// ranges that software uses.
type Class struct {
	Name  string
	About string
	Kind  Kind
	Use   Use
	draw  func(*script)
}

// Classes returns every class, always in the same order. The slice is the caller's.
func Classes() []Class {
	var all []Class
	all = append(all, of(Implant, Tuned, implants())...)
	all = append(all, of(Implant, Tuned, troubledImplants())...)
	all = append(all, of(Implant, HeldOut, heldOutImplants())...)
	all = append(all, of(Implant, HeldOut, harderImplants())...)
	all = append(all, of(Implant, HeldOut, furtherImplants())...)
	all = append(all, of(Aperiodic, Tuned, interactive())...)
	all = append(all, of(Aperiodic, Tuned, services())...)
	all = append(all, of(Aperiodic, Tuned, randomProcesses())...)
	all = append(all, of(Aperiodic, HeldOut, heldOutBenign())...)
	all = append(all, of(Aperiodic, HeldOut, furtherBenign())...)
	all = append(all, of(Periodic, Tuned, timers())...)
	all = append(all, of(Periodic, HeldOut, heldOutTimers())...)
	all = append(all, of(Periodic, HeldOut, furtherTimers())...)
	all = append(all, of(Implant, Unseen, unseenImplants())...)
	all = append(all, of(Aperiodic, Unseen, unseenBenign())...)
	return append(all, of(Periodic, Unseen, unseenTimers())...)
}

func of(kind Kind, use Use, classes []Class) []Class {
	for i := range classes {
		classes[i].Kind, classes[i].Use = kind, use
	}
	return classes
}

// Flow returns flow number i of the class. The same class, seed and number give the same flow.
func (c Class) Flow(seed uint64, i int) Flow {
	s := newScript(seed, c.Name, i)
	c.draw(s)
	f := s.finish()
	f.ID, f.Class, f.Kind, f.Use = c.Name+"-"+strconv.Itoa(i), c.Name, c.Kind, c.Use
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
