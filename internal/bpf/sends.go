package bpf

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// What the program for sends keeps on its stack.
const (
	template = -recordSize  // a record in the making
	thread   = template - 8 // key of a peer
	scratch  = thread - 8
)

// sendsProgram is attached to tp_btf/sock_send_length(sk, ret, flags), which every sendmsg of a socket passes on its way out.
// Sends of TCP sockets count if we saw the socket connect; all others over IP count.
//
// Each send adds to the totals of its stream. It is reported if the last report is at least the window ago; the others of a
// burst are folded into the totals, and told by the next report, at CLOSE or by Flush. Since totals only grow, no lost
// report loses a byte. The first report wakes the reader, for whom the sender may not live long; the others only when the
// ring fills.
func sendsProgram(f *fields, m *maps, cfg Config) asm.Instructions {
	c := &code{fields: f}
	c.add(asm.LoadMem(socket, asm.R1, 0, asm.DWord), asm.LoadMem(number, asm.R1, 8, asm.DWord),
		asm.LSh.Imm(number, 32), asm.ArSh.Imm(number, 32))
	c.load(asm.R1, socket, f.family)
	c.add(asm.JEq.Imm(asm.R1, unix.AF_INET, "ip"), asm.JNE.Imm(asm.R1, unix.AF_INET6, exit))
	c.label("ip")
	c.load(other, socket, f.protocol)
	c.add(asm.JEq.Imm(other, unix.IPPROTO_TCP, "tcp"), asm.JEq.Imm(other, unix.IPPROTO_MPTCP, "tcp"))

	c.datagram(m)
	c.add(asm.Ja.Label("find"))

	c.label("tcp")
	c.add(asm.JSLE.Imm(number, 0, exit))
	c.storage(m.connections, 0)
	c.add(asm.JEq.Imm(asm.R0, 0, exit), asm.Mov.Reg(value, asm.R0))
	c.copy(asm.RFP, template+atKey, value, atKey, keySize)
	c.add(asm.JEq.Imm(other, unix.IPPROTO_TCP, "caller"))
	c.remote(asm.RFP, template, "mptcp") // not known when it began to connect

	c.label("caller")
	c.add(asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32), asm.StoreMem(asm.RFP, template+atPID, asm.R0, asm.Word))
	c.label("find")
	c.lookup(m.streams, asm.RFP, template+atKey)
	c.add(asm.JEq.Imm(asm.R0, 0, "new"))
	c.label("add")
	c.account(m, cfg)
	c.label("new")
	c.begin(m)
	return c.end(0)
}

// datagram fills in the key of the stream of a socket that is not TCP.
func (c *code) datagram(m *maps) {
	const named = "named"
	if m.peers != nil {
		c.peer(m, named)
	}
	c.remote(asm.RFP, template, "datagram")
	c.label(named)
	c.add(asm.JSLT.Imm(number, 0, exit))
	c.cookie(asm.RFP, template, "datagram")
	c.add(asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32),
		asm.StoreMem(asm.RFP, template+atPID, asm.R0, asm.Word))
}

// account adds a send to the record at R0.
func (c *code) account(m *maps, cfg Config) {
	c.add(asm.Mov.Reg(value, asm.R0))
	c.now()
	c.add(asm.Mov.Reg(other, asm.R0), asm.LoadMem(asm.R2, value, atTime, asm.DWord),
		asm.StoreMem(value, atTime, other, asm.DWord))
	c.add(asm.AddAtomic.Mem(value, number, asm.DWord, atBytes), asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(value, asm.R1, asm.DWord, atSends))
	c.add(asm.LoadMem(asm.R1, value, atEmitted, asm.DWord), asm.Add.Imm(asm.R1, int32(cfg.Window)),
		asm.JGE.Reg(other, asm.R1, "emit"))
	c.unreported(m, "folded")
	c.add(asm.Ja.Label(exit))
	c.label("emit")
	c.add(asm.StoreMem(value, atPrevious, asm.R2, asm.DWord), asm.StoreMem(value, atSize, number, asm.DWord),
		asm.StoreMem(value, atEmitted, other, asm.DWord))
	c.outputQuietly(m, cfg, "emit")
	c.add(asm.JEq.Imm(asm.R0, 0, exit))
	c.label("unemitted")
	c.add(asm.Mov.Imm(asm.R1, 0), asm.StoreMem(value, atEmitted, asm.R1, asm.DWord)) // so the next send tries again
	c.unreported(m, "lost")
	c.count(m.counters, lost, scratch, exit)
	c.add(asm.Ja.Label(exit))
}

// unreported tells Flush that there are totals to read. The flag is written only when it is down, so that CPUs share its line.
func (c *code) unreported(m *maps, unique string) {
	raised := unique + " raised"
	c.add(asm.LoadMapValue(asm.R1, m.flag.FD(), 0), asm.LoadMem(asm.R2, asm.R1, 0, asm.Word),
		asm.JNE.Imm(asm.R2, 0, raised), asm.StoreImm(asm.R1, 0, 1, asm.Word))
	c.label(raised)
}

// begin makes the record of a new stream from the key in the template.
func (c *code) begin(m *maps) {
	const exists = -17 // EEXIST
	c.zero(asm.RFP, template, atKey)
	c.zero(asm.RFP, template+atThread, recordSize-atThread)
	// the key keeps its own cookie, process, family and peer
	c.copy(asm.RFP, thread, asm.RFP, template+atFamily, 4)
	c.identity(asm.RFP, template, "begin")
	c.copy(asm.RFP, template+atFamily, asm.RFP, thread, 4)
	c.local(asm.RFP, template, "begin")
	c.owner(asm.RFP, template)
	c.now()
	for _, at := range []int16{atTime, atEmitted} {
		c.add(asm.StoreMem(asm.RFP, template+at, asm.R0, asm.DWord))
	}
	c.add(asm.StoreImm(asm.RFP, template+atKind, int64(Sent), asm.Word),
		asm.StoreMem(asm.RFP, template+atBytes, number, asm.DWord), asm.StoreMem(asm.RFP, template+atSize, number, asm.DWord),
		asm.Mov.Imm(asm.R1, 1), asm.StoreMem(asm.RFP, template+atSends, asm.R1, asm.DWord))
	c.add(asm.LoadMapPtr(asm.R1, m.streams.FD()))
	c.stack(asm.R2, template+atKey)
	c.stack(asm.R3, template)
	c.add(asm.Mov.Imm(asm.R4, unix.BPF_NOEXIST), asm.FnMapUpdateElem.Call(), asm.JEq.Imm(asm.R0, 0, "first"),
		asm.JNE.Imm(asm.R0, exists, "crowded"))
	c.lookup(m.streams, asm.RFP, template+atKey) // another thread was faster
	c.add(asm.JNE.Imm(asm.R0, 0, "add"))
	c.label("crowded")
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atFlags, asm.Half), asm.Or.Imm(asm.R1, flagUntracked),
		asm.StoreMem(asm.RFP, template+atFlags, asm.R1, asm.Half))
	c.count(m.counters, untracked, scratch, "first")
	c.label("first")
	c.output(m.ring, asm.RFP, template, 0)
	c.add(asm.JEq.Imm(asm.R0, 0, exit))
	c.lookup(m.streams, asm.RFP, template+atKey)
	c.add(asm.Mov.Reg(value, asm.R0), asm.JNE.Imm(asm.R0, 0, "unemitted"))
	c.count(m.counters, lost, scratch, exit) // not even a total remembers it
}
