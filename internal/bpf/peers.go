package bpf

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// A peer is the destination of a sendmsg under way. It is kept in the storage of the socket for the one thread that sends, and by
// thread where several send through one socket at a time. Both are laid out as a record, with these in the place of totals:
const (
	peerThread = atBytes // u64, struct task_struct
	peerFresh  = atSends // u32, until the send it is for has been counted
	peerSize   = 48
	maxCrowd   = 4096 // threads
)

// peersProgram is attached to cgroup/sendmsg4 or 6, which a UDP send with an address passes before the datagram is made, with the
// socket locked. It notes where the datagram goes; sendsProgram, in the same thread and call, picks it up. Threads are told
// apart by their struct task_struct, which these programs may ask for on kernels where they may not ask for its id.
func peersProgram(m *maps, family int32) asm.Instructions {
	const (
		made   = -peerSize
		thread = made - 8
	)
	const sk = 64 // struct bpf_sock_addr, linux/bpf.h
	c := new(code)
	context, self := asm.R6, asm.R8
	c.add(asm.Mov.Reg(context, asm.R1))
	c.add(asm.FnGetCurrentTask.Call(), asm.Mov.Reg(self, asm.R0))
	c.add(asm.LoadMem(asm.R2, context, sk, asm.DWord), asm.JEq.Imm(asm.R2, 0, exit))
	c.add(asm.LoadMapPtr(asm.R1, m.sockets.FD()), asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, unix.BPF_LOCAL_STORAGE_GET_F_CREATE), asm.FnSkStorageGet.Call(),
		asm.JEq.Imm(asm.R0, 0, "crowd"), asm.Mov.Reg(value, asm.R0))
	c.add(asm.LoadMem(asm.R1, value, peerFresh, asm.Word), asm.JEq.Imm(asm.R1, 0, "free"),
		asm.LoadMem(asm.R1, value, peerThread, asm.DWord), asm.JNE.Reg(asm.R1, self, "crowd"))
	c.label("free")
	c.add(asm.StoreMem(value, peerThread, self, asm.DWord))
	c.named(context, value, 0, family)
	c.add(asm.Ja.Label(exit))

	c.label("crowd")
	c.zero(asm.RFP, made, peerSize)
	c.add(asm.StoreMem(asm.RFP, thread, self, asm.DWord))
	c.named(context, asm.RFP, made, family)
	c.add(asm.LoadMapPtr(asm.R1, m.crowd.FD()))
	c.stack(asm.R2, thread)
	c.stack(asm.R3, made)
	c.add(asm.Mov.Imm(asm.R4, unix.BPF_ANY), asm.FnMapUpdateElem.Call())
	return c.end(1) // let it pass
}

// named fills the peer at base+at from the address the call names.
func (c *code) named(context, base asm.Register, at int16, family int32) {
	c.user(context, base, at+atFamily, at+atRemote, family)
	c.add(asm.StoreImm(base, at+peerFresh, 1, asm.Word))
}

// user copies the family and port, and the address, of a struct bpf_sock_addr (linux/bpf.h).
func (c *code) user(context, base asm.Register, at, address int16, family int32) {
	const userIP4, userIP6, userPort = 4, 8, 24
	c.add(asm.StoreImm(base, at, int64(family), asm.Half))
	c.add(asm.LoadMem(asm.R1, context, userPort, asm.Word), asm.StoreMem(base, at+2, asm.R1, asm.Half))
	if family == unix.AF_INET {
		c.zero(base, address, 16)
		c.add(asm.LoadMem(asm.R1, context, userIP4, asm.Word), asm.StoreMem(base, address, asm.R1, asm.Word))
		return
	}
	for n := int16(0); n < 16; n += 4 {
		c.add(asm.LoadMem(asm.R1, context, userIP6+n, asm.Word), asm.StoreMem(base, address+n, asm.R1, asm.Word))
	}
}

// peer fills in the family and address of the template if the send under way named one, and goes to found; else it goes on, with the
// socket's own peer to be filled in. R0 is the thread.
func (c *code) peer(m *maps, found string) {
	const unnamed = "unnamed"
	c.add(asm.JEq.Imm(value, 0, unnamed), asm.LoadMem(asm.R1, value, peerThread, asm.DWord), asm.JEq.Imm(asm.R1, 0, unnamed),
		asm.Mov.Reg(other, value), asm.JEq.Reg(asm.R1, asm.R0, "noted"))
	c.add(asm.StoreMem(asm.RFP, thread, asm.R0, asm.DWord))
	c.lookup(m.crowd, asm.RFP, thread)
	c.add(asm.JEq.Imm(asm.R0, 0, unnamed), asm.Mov.Reg(other, asm.R0))
	c.label("noted")
	c.copy(asm.RFP, template+atFamily, other, atFamily, 4)
	c.copy(asm.RFP, template+atRemote, other, atRemote, 16)
	// only now may another thread use the place
	c.add(asm.Mov.Imm(asm.R1, 0), atomically(asm.Xchg, other, asm.R1, peerFresh, asm.Word), asm.JNE.Imm(asm.R1, 0, found))
	// no address in this call: the socket's peer, else that of the datagram it adds to (MSG_MORE)
	c.load(asm.R1, socket, c.fields.remotePort)
	c.add(asm.JEq.Imm(asm.R1, 0, found))
	c.label(unnamed)
}
