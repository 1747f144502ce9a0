package bpf

import (
	"encoding/binary"
	"errors"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// First tells whose the first datagram between a socket and a peer was. That is a question only where the program chose the
// port of an unconnected socket: others cannot be spoken to before they speak.
type First uint8

// NotAsked: it is no such socket. NotHeard: it began before Hear, or not long enough after it to be sure.
const (
	NotAsked First = iota
	NotHeard
	Ours
	Theirs
)

// maxFirsts is of how many pairs of a socket and a peer it is remembered; those not met for longest go first.
const maxFirsts = 1 << 14

// The key of a first is the part of that of a stream which does not depend on the process. Its value is when it was, in
// nanoseconds on CLOCK_BOOTTIME, odd if it was theirs.
const (
	atFirst    = atFamily
	firstSize  = keySize - atFirst
	atFirstWas = atOpened // in the record of a stream
)

// Hear attaches to the calls that receive a datagram with its sender's address, from when on First is known. They are the
// dearest place to watch, for the kernel locks the socket once more, so it is left to the caller whether and when. A
// refusal is also told by Missing. It may be called once.
func (t *Tracer) Hear() error {
	if t.maps.firsts == nil {
		return refuse(Hears4, unix.ENOENT)
	}
	err := errors.Join(
		t.intercept(Hears4, ebpf.AttachCGroupUDP4Recvmsg, hearsProgram(t.maps, unix.AF_INET)),
		t.intercept(Hears6, ebpf.AttachCGroupUDP6Recvmsg, hearsProgram(t.maps, unix.AF_INET6)))
	if err == nil {
		var now unix.Timespec
		if err = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err == nil {
			t.streams.heard = now.Nano() + int64(t.cfg.settle)
		}
	}
	return err
}

// hearsProgram is attached to cgroup/recvmsg4 or 6. It notes a peer that spoke before the socket had spoken to it.
func hearsProgram(m *maps, family int32) asm.Instructions {
	const (
		key     = -firstSize
		was     = key - 12
		address = key + atRemote - atFirst
		sk      = 64 // struct bpf_sock_addr, linux/bpf.h
		dstPort = 48 // struct bpf_sock
	)
	c := new(code)
	context := asm.R6
	c.add(asm.Mov.Reg(context, asm.R1), asm.LoadMem(asm.R2, context, sk, asm.DWord), asm.JEq.Imm(asm.R2, 0, exit),
		asm.LoadMem(asm.R2, asm.R2, dstPort, asm.Half), asm.JNE.Imm(asm.R2, 0, exit)) // connected: it hears no other
	c.user(context, asm.RFP, key, address, family)
	if family == unix.AF_INET6 {
		c.unmap(key, address)
	}
	c.add(asm.Mov.Reg(asm.R1, context), asm.FnGetSocketCookie.Call(),
		asm.StoreMem(asm.RFP, key+atCookie-atFirst, asm.R0, asm.DWord))
	c.lookup(m.firsts, asm.RFP, key)
	c.add(asm.JNE.Imm(asm.R0, 0, exit))
	c.now()
	c.add(asm.Or.Imm(asm.R0, 1), asm.StoreMem(asm.RFP, was, asm.R0, asm.DWord))
	c.keep(m, key, was)
	return c.end(1) // let it pass
}

// unmap makes an IPv4-mapped address on the stack an IPv4 one, as which sends to it are seen.
func (c *code) unmap(family, address int16) {
	const done = "unmapped"
	c.add(asm.LoadMem(asm.R1, asm.RFP, address, asm.DWord), asm.JNE.Imm(asm.R1, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, address+8, asm.Word),
		asm.JNE.Imm32(asm.R1, int32(binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff})), done),
		asm.StoreImm(asm.RFP, family, unix.AF_INET, asm.Half), asm.LoadMem(asm.R2, asm.RFP, address+12, asm.Word))
	c.zero(asm.RFP, address, 16)
	c.add(asm.StoreMem(asm.RFP, address, asm.R2, asm.Word))
	c.label(done)
}

// keep notes a first unless there is one. Both are addresses on the stack.
func (c *code) keep(m *maps, key, was int16) {
	c.add(asm.LoadMapPtr(asm.R1, m.firsts.FD()))
	c.stack(asm.R2, key)
	c.stack(asm.R3, was)
	c.add(asm.Mov.Imm(asm.R4, unix.BPF_NOEXIST), asm.FnMapUpdateElem.Call())
}

// first fills in whose the first datagram of the stream's socket and peer was, where that is asked.
func (c *code) first(m *maps) {
	const ours, done = "ours", "first known"
	if m.firsts == nil {
		return
	}
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atFlags, asm.Half), asm.And.Imm(asm.R1, flagBound), asm.JEq.Imm(asm.R1, 0, done))
	c.load(asm.R1, socket, c.fields.remotePort)
	c.add(asm.JNE.Imm(asm.R1, 0, done))
	c.lookup(m.firsts, asm.RFP, template+atFirst)
	c.add(asm.JEq.Imm(asm.R0, 0, ours), asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.StoreMem(asm.RFP, template+atFirstWas, asm.R1, asm.DWord), asm.Ja.Label(done))
	c.label(ours)
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atBorn, asm.DWord), asm.And.Imm(asm.R1, -2),
		asm.StoreMem(asm.RFP, template+atFirstWas, asm.R1, asm.DWord))
	c.keep(m, template+atFirst, template+atFirstWas)
	c.label(done)
}

// ask reads what first filled in, which is decoded as when a connection was opened.
func (s *streams) ask(e *Event) {
	was := e.ConnectAt
	e.ConnectAt = 0
	switch {
	case was == 0:
		e.First = NotAsked
	case s.heard == 0 || was < s.heard:
		e.First = NotHeard
	case was&1 == 1:
		e.First = Theirs
	default:
		e.First = Ours
	}
}
