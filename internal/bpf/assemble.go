package bpf

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Registers the programs keep across calls.
const (
	socket = asm.R6 // the struct sock
	value  = asm.R7 // a record in a map
	number = asm.R8 // of bytes, or a state
	other  = asm.R9
)

// exit is the label every program ends at, with its result in R0.
const exit = "exit"

// code is a program in the making.
type code struct {
	asm.Instructions
	fields *fields
	name   string
}

func (c *code) add(more ...asm.Instruction) {
	if c.name != "" {
		more[0] = more[0].WithSymbol(c.name)
		c.name = ""
	}
	c.Instructions = append(c.Instructions, more...)
}

// label names the next instruction.
func (c *code) label(name string) { c.name = name }

func (c *code) load(to, from asm.Register, f field) {
	c.add(asm.LoadMem(to, from, f.offset, f.size))
}

// end finishes the program with result.
func (c *code) end(result int32) asm.Instructions {
	c.label(exit)
	c.add(asm.Mov.Imm(asm.R0, result), asm.Return())
	return c.Instructions
}

// stack sets reg to an address on the stack.
func (c *code) stack(reg asm.Register, at int16) {
	c.add(asm.Mov.Reg(reg, asm.RFP), asm.Add.Imm(reg, int32(at)))
}

// zero clears size bytes, a multiple of 8, through R1.
func (c *code) zero(base asm.Register, from int16, size int) {
	c.add(asm.Mov.Imm(asm.R1, 0))
	for at := range size / 8 {
		c.add(asm.StoreMem(base, from+int16(8*at), asm.R1, asm.DWord))
	}
}

// copy moves size bytes, a multiple of 4, between aligned places, through R1.
func (c *code) copy(to asm.Register, toAt int16, from asm.Register, fromAt int16, size int16) {
	for size > 0 {
		width, n := asm.DWord, int16(8)
		if size < 8 || toAt%8 != 0 || fromAt%8 != 0 {
			width, n = asm.Word, 4
		}
		c.add(asm.LoadMem(asm.R1, from, fromAt, width), asm.StoreMem(to, toAt, asm.R1, width))
		toAt, fromAt, size = toAt+n, fromAt+n, size-n
	}
}

// now sets R0 to the boot time.
func (c *code) now() { c.add(asm.FnKtimeGetBootNs.Call()) }

// storage sets R0 to the record in the storage of the socket, or zero; create makes one.
func (c *code) storage(m *ebpf.Map, create int32) {
	c.add(asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, socket), asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, create), asm.FnSkStorageGet.Call())
}

// lookup sets R0 to the value of the key at base+at, or zero.
func (c *code) lookup(m *ebpf.Map, base asm.Register, at int16) {
	c.add(asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, base), asm.Add.Imm(asm.R2, int32(at)),
		asm.FnMapLookupElem.Call())
}

// output puts size bytes at base+at on the ring; R0 is 0 if there was room.
func (c *code) output(m *ebpf.Map, base asm.Register, at int16, size, flags int32) {
	c.add(asm.Mov.Imm(asm.R4, flags))
	c.put(m, base, at, size)
}

// put is output with the flags in R4.
func (c *code) put(m *ebpf.Map, base asm.Register, at int16, size int32) {
	c.add(asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, base), asm.Add.Imm(asm.R2, int32(at)),
		asm.Mov.Imm(asm.R3, size), asm.FnRingbufOutput.Call())
}

// outputQuietly is output without waking the reader, unless it is asleep or the ring fills. A program has it once.
func (c *code) outputQuietly(m *maps, cfg Config, base asm.Register, at int16, size int32) {
	const quiet, loud = "quiet", "loud"
	c.add(asm.LoadMapValue(asm.R1, m.asleep.FD(), 0), asm.LoadMem(asm.R1, asm.R1, 0, asm.Word), asm.JNE.Imm(asm.R1, 0, loud),
		asm.LoadMapPtr(asm.R1, m.ring.FD()), asm.Mov.Imm(asm.R2, unix.BPF_RB_AVAIL_DATA), asm.FnRingbufQuery.Call(),
		asm.Mov.Imm(asm.R4, unix.BPF_RB_NO_WAKEUP), asm.JLT.Imm(asm.R0, int32(cfg.Ring/4), quiet))
	c.label(loud)
	c.add(asm.Mov.Imm(asm.R4, unix.BPF_RB_FORCE_WAKEUP))
	c.label(quiet)
	c.put(m.ring, base, at, size)
}

// count adds one to a counter. scratch is an address on the stack, after a unique label.
func (c *code) count(m *ebpf.Map, which counter, scratch int16, skip string) {
	c.add(asm.StoreImm(asm.RFP, scratch, int64(which), asm.Word))
	c.lookup(m, asm.RFP, scratch)
	c.add(asm.JEq.Imm(asm.R0, 0, skip),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord), asm.Add.Imm(asm.R1, 1), asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord))
}

// owner fills the record at base+at with who calls.
func (c *code) owner(base asm.Register, at int16) {
	c.told(base, at)
	c.add(asm.FnGetCurrentTaskBtf.Call())
	c.load(asm.R1, asm.R0, c.fields.groupLeader)
	c.load(asm.R1, asm.R1, c.fields.startBoottime)
	c.add(asm.StoreMem(base, at+atStart, asm.R1, asm.DWord))
}

// told fills in what the kernel's helpers say of who calls.
func (c *code) told(base asm.Register, at int16) {
	c.add(asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32), asm.StoreMem(base, at+atPID, asm.R0, asm.Word))
	c.add(asm.FnGetCurrentUidGid.Call(), asm.StoreMem(base, at+atUID, asm.R0, asm.Word))
	c.add(asm.FnGetCurrentCgroupId.Call(), asm.StoreMem(base, at+atCgroup, asm.R0, asm.DWord))
	c.add(asm.Mov.Reg(asm.R1, base), asm.Add.Imm(asm.R1, int32(at+atComm)), asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call())
}

// cookie fills in the cookie of the socket, which asking for creates.
func (c *code) cookie(base asm.Register, at int16, unique string) {
	have := unique + " cookie"
	c.load(asm.R0, socket, c.fields.cookie)
	c.add(asm.JNE.Imm(asm.R0, 0, have), asm.Mov.Reg(asm.R1, socket), asm.FnGetSocketCookie.Call())
	c.label(have)
	c.add(asm.StoreMem(base, at+atCookie, asm.R0, asm.DWord))
}

// identity fills the record at base+at with what does not change of the socket: namespace and protocol.
func (c *code) identity(base asm.Register, at int16) {
	c.load(asm.R1, socket, c.fields.netns)
	c.load(asm.R1, asm.R1, c.fields.netInode)
	c.add(asm.StoreMem(base, at+atNetNS, asm.R1, asm.Word))
	c.load(asm.R1, socket, c.fields.protocol)
	c.add(asm.StoreMem(base, at+atProtocol, asm.R1, asm.Half))
}

// local fills in the local end and whether the program chose its port (SOCK_BINDPORT_LOCK, include/net/sock.h).
func (c *code) local(base asm.Register, at int16, unique string) {
	const bindPortLock = 8
	c.address(base, at+atLocal, c.fields.local4, c.fields.local6, unique)
	c.load(asm.R1, socket, c.fields.localPort)
	c.add(asm.StoreMem(base, at+atLocalPort, asm.R1, asm.Half))
	c.load(asm.R1, socket, c.fields.userlocks)
	c.add(asm.And.Imm(asm.R1, bindPortLock), asm.RSh.Imm(asm.R1, 3), asm.StoreMem(base, at+atFlags, asm.R1, asm.Half))
}

// remote fills in the peer the socket is connected to, with its family.
func (c *code) remote(base asm.Register, at int16, unique string) {
	c.address(base, at+atRemote, c.fields.remote4, c.fields.remote6, unique)
	c.load(asm.R1, socket, c.fields.remotePort)
	c.add(asm.StoreMem(base, at+atRemotePort, asm.R1, asm.Half))
	c.load(asm.R1, socket, c.fields.family)
	c.add(asm.StoreMem(base, at+atFamily, asm.R1, asm.Half))
}

// address copies one address of the socket to base+at.
func (c *code) address(base asm.Register, at int16, v4, v6 field, unique string) {
	done := unique + " address"
	c.zero(base, at, 16)
	c.load(asm.R1, socket, v4)
	c.add(asm.StoreMem(base, at, asm.R1, asm.Word))
	if v6 == (field{}) {
		return
	}
	c.load(asm.R1, socket, c.fields.family)
	c.add(asm.JNE.Imm(asm.R1, unix.AF_INET6, done))
	for _, half := range []int16{0, 8} {
		c.add(asm.LoadMem(asm.R1, socket, v6.offset+half, asm.DWord), asm.StoreMem(base, at+half, asm.R1, asm.DWord))
	}
	c.label(done)
}

// atomically is an operation on memory of which the register gets the old value. The library (0.22) forgets the operation when
// it encodes the instruction, and so makes an addition of it, unless the constant says it too.
func atomically(op asm.AtomicOp, base, with asm.Register, at int16, size asm.Size) asm.Instruction {
	i := op.Mem(base, with, size, at)
	i.Constant = int64(op >> 8) // BPF_XCHG, BPF_ADD | BPF_FETCH, linux/bpf.h
	return i
}
