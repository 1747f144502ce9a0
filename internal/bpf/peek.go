package bpf

import (
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// call is where a system call under way has its number and arguments, in struct pt_regs. All are zero on a machine whose
// registers we do not know.
type call struct {
	number, second, third, fifth field
}

// known reports whether arguments can be read.
func (c call) known() bool { return c.number != field{} }

// peek fills in the peer of the template from the address that the program gave sendto, sendmsg or sendmmsg, which is in its
// memory: the only place where the destinations of unconnected raw, ICMP and SCTP sockets are found, and those of UDP
// without cgroup/sendmsg. It is read after the call, so a thread beside it may have changed it: the record says so.
func (c *code) peek() {
	const (
		done     = "peeked"
		address  = report // not in use yet
		in4, in6 = unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet6
	)
	read := func(size int32) { // of what R3 points to
		c.stack(asm.R1, address)
		c.add(asm.Mov.Imm(asm.R2, size), asm.FnProbeReadUser.Call(), asm.JNE.Imm(asm.R0, 0, done))
	}
	at := c.fields.call
	if !at.known() {
		return
	}
	// connected, or bound to nothing
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atRemote, asm.DWord), asm.JNE.Imm(asm.R1, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, template+atRemote+8, asm.DWord), asm.JNE.Imm(asm.R1, 0, done))
	c.add(asm.FnGetCurrentTaskBtf.Call(), asm.Mov.Reg(asm.R1, asm.R0), asm.FnTaskPtRegs.Call(), asm.Mov.Reg(other, asm.R0))
	c.load(asm.R1, other, at.number)
	c.load(asm.R3, other, at.fifth)
	c.add(asm.JEq.Imm(asm.R1, unix.SYS_SENDTO, "address"))
	c.load(asm.R3, other, at.second)
	c.add(asm.JEq.Imm(asm.R1, unix.SYS_SENDMSG, "message"), asm.JNE.Imm(asm.R1, unix.SYS_SENDMMSG, done))
	c.load(asm.R1, other, at.third)
	c.add(asm.JNE.Imm32(asm.R1, 1, done)) // which of several messages it is cannot be told
	c.label("message")
	read(8) // msg_name is the first member of struct msghdr, and that of struct mmsghdr
	c.add(asm.LoadMem(asm.R3, asm.RFP, address, asm.DWord))
	c.label("address")
	c.add(asm.JEq.Imm(asm.R3, 0, done), asm.Mov.Reg(other, asm.R3))
	read(in4)
	c.add(asm.LoadMem(asm.R1, asm.RFP, address, asm.Half), asm.JEq.Imm(asm.R1, unix.AF_INET6, "long"),
		asm.JNE.Imm(asm.R1, unix.AF_INET, done))
	c.copy(asm.RFP, template+atRemote, asm.RFP, address+4, 4)
	c.add(asm.Ja.Label("peer"))
	c.label("long")
	c.add(asm.Mov.Reg(asm.R3, other))
	read(in6)
	c.copy(asm.RFP, template+atRemote, asm.RFP, address+8, 16)
	c.label("peer")
	c.copy(asm.RFP, template+atFamily, asm.RFP, address, 4)
	c.add(asm.StoreImm(asm.RFP, peeked, flagPeeked, asm.Word))
	c.label(done)
}

// callFields are those of struct pt_regs on x86-64 and arm64; syscall(2) has which register is which argument.
func callFields(spec *btf.Spec) call {
	at := func(path string) field {
		f, err := find(spec, "pt_regs", path)
		if err != nil {
			return field{}
		}
		return f
	}
	if regs := at("regs"); regs != (field{}) {
		register := func(n int16) field { return field{regs.offset + 8*n, asm.DWord} }
		return call{at("syscallno"), register(1), register(2), register(4)}
	}
	return call{at("orig_ax"), at("si"), at("dx"), at("r8")}
}
