package bpf

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// What the program for sends keeps on its stack.
const (
	template = -recordSize           // a record in the making
	report   = template - reportSize // a report in the making
	slotAt   = report - 8            // key of a slot
	thread   = slotAt - 8            // key of a peer
	scratch  = thread - 8
	peeked   = scratch - 8 // flagPeeked or nothing
)

// sendsProgram is attached to tp_btf/sock_send_length(sk, ret, flags), which every sendmsg of a socket passes on its way out.
// Sends of TCP sockets count if we saw the socket connect; all others over IP count.
//
// Each send adds to the totals of its stream, which are in a slot that the storage of the socket knows: a look into the
// storage, one into the slot, and two additions are all that happens in a burst. It is reported if the last report is at
// least the window ago; the others are folded into the totals, dated by the jiffy, and told by the next report, at CLOSE
// or by Flush. Since totals only grow, no lost report loses a byte. The first report of a datagram stream wakes the
// reader, for whom the sender may not live long; others only when the ring fills.
func sendsProgram(f *fields, m *maps, cfg Config) asm.Instructions {
	c := &code{fields: f}
	c.add(asm.LoadMem(socket, asm.R1, 0, asm.DWord), asm.LoadMem(number, asm.R1, 8, asm.DWord),
		asm.LSh.Imm(number, 32), asm.ArSh.Imm(number, 32))
	c.load(asm.R1, socket, f.family)
	c.add(asm.JEq.Imm(asm.R1, unix.AF_INET, "ip"), asm.JNE.Imm(asm.R1, unix.AF_INET6, exit))
	c.label("ip")
	c.storage(m.sockets, 0)
	c.add(asm.Mov.Reg(value, asm.R0), asm.StoreImm(asm.RFP, peeked, 0, asm.Word))
	c.load(other, socket, f.protocol)
	c.add(asm.JEq.Imm(other, unix.IPPROTO_TCP, "tcp"), asm.JEq.Imm(other, unix.IPPROTO_MPTCP, "tcp"))

	c.datagram(m)
	c.add(asm.Ja.Label("find"))

	c.label("tcp")
	c.add(asm.JSLE.Imm(number, 0, exit), asm.JEq.Imm(value, 0, exit))
	c.copy(asm.RFP, template+atKey, value, atKey, keySize)
	c.add(asm.JEq.Imm(other, unix.IPPROTO_TCP, "caller"))
	c.remote(asm.RFP, template, "mptcp") // not known when it began to connect
	c.label("caller")
	c.caller()

	c.label("find")
	c.find(m)
	c.label("add")
	c.account(cfg, m)
	c.label("new")
	c.begin(cfg, m)
	c.label("untracked")
	c.untracked(m)
	return c.end(0)
}

// caller fills in the process of the key, and leaves the struct task_struct in R0.
func (c *code) caller() {
	c.add(asm.FnGetCurrentTaskBtf.Call())
	c.load(asm.R1, asm.R0, c.fields.tgid)
	c.add(asm.StoreMem(asm.RFP, template+atPID, asm.R1, asm.Word))
}

// datagram fills in the key of the stream of a socket that is not TCP.
func (c *code) datagram(m *maps) {
	const named, known = "named", "known"
	c.caller()
	if m.crowd != nil {
		c.peer(m, named)
	}
	c.add(asm.JSLT.Imm(number, 0, exit))
	c.remote(asm.RFP, template, "datagram")
	c.peek()
	if m.crowd != nil {
		c.add(asm.Ja.Label(known))
		c.label(named)
		c.add(asm.JSLT.Imm(number, 0, exit)) // only now: an error may not leave a peer behind
		c.label(known)
	}
	c.cookie(asm.RFP, template, "datagram")
}

// find sets R0 to the slot of the stream whose key is in the template, and slotAt to its number; or it goes to new. The socket
// remembers the slot it found last.
func (c *code) find(m *maps) {
	c.add(asm.StoreImm(asm.RFP, slotAt, 0, asm.Word), asm.JEq.Imm(value, 0, "indexed"),
		asm.LoadMem(asm.R1, value, atSlot, asm.Word), asm.StoreMem(asm.RFP, slotAt, asm.R1, asm.Word))
	c.lookup(m.slots, asm.RFP, slotAt)
	c.add(asm.JEq.Imm(asm.R0, 0, exit))
	for at := int16(0); at < keySize; at += 8 { // the slot of nobody has no cookie
		c.add(asm.LoadMem(asm.R1, asm.R0, atKey+at, asm.DWord), asm.LoadMem(asm.R2, asm.RFP, template+atKey+at, asm.DWord),
			asm.JNE.Reg(asm.R1, asm.R2, "indexed"))
	}
	c.add(asm.Ja.Label("add"))

	c.label("indexed")
	c.lookup(m.index, asm.RFP, template+atKey)
	c.add(asm.JEq.Imm(asm.R0, 0, "new"),
		asm.LoadMem(other, asm.R0, 0, asm.Word), asm.StoreMem(asm.RFP, slotAt, other, asm.Word))
	// a socket that sends for the second time is worth some memory
	c.add(asm.JNE.Imm(value, 0, "stored"))
	c.storage(m.sockets, unix.BPF_LOCAL_STORAGE_GET_F_CREATE)
	c.add(asm.JEq.Imm(asm.R0, 0, "unremembered"), asm.Mov.Reg(value, asm.R0))
	c.label("stored")
	c.add(asm.StoreMem(value, atSlot, other, asm.Word))
	c.label("unremembered")
	c.lookup(m.slots, asm.RFP, slotAt)
	c.add(asm.JEq.Imm(asm.R0, 0, exit))
}

// account adds a send to the slot at R0.
func (c *code) account(cfg Config, m *maps) {
	window := int32(cfg.Window / cfg.tick)
	c.add(asm.Mov.Reg(value, asm.R0), asm.FnJiffies64.Call(), asm.Mov.Reg(other, asm.R0))
	c.add(asm.LoadMem(asm.R4, value, atReported, asm.DWord), asm.LoadMem(asm.R5, value, atTicks, asm.DWord),
		asm.StoreMem(value, atTicks, other, asm.DWord))
	// the old totals: they order this addition before what follows, also where memory is weaker than on x86
	c.add(asm.Mov.Reg(asm.R2, number), atomically(asm.FetchAdd, value, asm.R2, atBytes, asm.DWord),
		asm.Mov.Imm(asm.R3, 1), atomically(asm.FetchAdd, value, asm.R3, atSends, asm.DWord))
	c.add(asm.Mov.Reg(asm.R1, other), asm.Sub.Reg(asm.R1, asm.R4), asm.JSGE.Imm(asm.R1, window, "report"))
	c.pend(cfg, m, "folded")
	c.add(asm.Ja.Label(exit))

	c.label("report")
	c.add(asm.Sub.Reg(asm.R5, asm.R4), asm.StoreMem(asm.RFP, report+reportTicks, asm.R5, asm.DWord),
		asm.Add.Reg(asm.R2, number), asm.StoreMem(asm.RFP, report+reportBytes, asm.R2, asm.DWord),
		asm.Add.Imm(asm.R3, 1), asm.StoreMem(asm.RFP, report+reportSends, asm.R3, asm.DWord))
	c.add(asm.LoadMem(asm.R1, value, atBorn, asm.DWord), asm.StoreMem(asm.RFP, report+reportBorn, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, value, atTime, asm.DWord), asm.StoreMem(asm.RFP, report+reportPrevious, asm.R1, asm.DWord))
	c.now()
	c.add(asm.StoreMem(asm.RFP, report+reportTime, asm.R0, asm.DWord))
	c.head()
	c.outputQuietly(m, cfg, asm.RFP, report, reportSize)
	c.add(asm.JNE.Imm(asm.R0, 0, "lost"))
	c.add(asm.LoadMem(asm.R1, asm.RFP, report+reportTime, asm.DWord), asm.StoreMem(value, atTime, asm.R1, asm.DWord),
		asm.StoreMem(value, atReported, other, asm.DWord), asm.Ja.Label(exit))

	c.label("lost") // the next send tries again
	c.pend(cfg, m, "lost")
	c.count(m.counters, lost, scratch, exit)
	c.add(asm.Ja.Label(exit))
}

// head fills in what does not depend on the stream.
func (c *code) head() {
	c.add(asm.StoreImm(asm.RFP, report+reportKind, int64(Sent), asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, slotAt, asm.Word), asm.StoreMem(asm.RFP, report+reportSlot, asm.R1, asm.Word),
		asm.StoreMem(asm.RFP, report+reportLength, number, asm.DWord))
}

// pend tells Flush that there are totals to read in the slot, and in word 0 that there are any at all. The words are written only
// when the slot's is down, so that CPUs share their lines; word 0 last, also where memory is weaker than on x86.
func (c *code) pend(cfg Config, m *maps, unique string) {
	done := unique + " pends"
	c.add(asm.LoadMem(asm.R1, asm.RFP, slotAt, asm.Word), asm.JGT.Imm(asm.R1, int32(cfg.MaxStreams), done),
		asm.LSh.Imm(asm.R1, 2), asm.LoadMapValue(asm.R2, m.pending.FD(), 0), asm.Mov.Reg(asm.R3, asm.R2),
		asm.Add.Reg(asm.R3, asm.R1), asm.LoadMem(asm.R1, asm.R3, 0, asm.Word), asm.JNE.Imm(asm.R1, 0, done),
		asm.StoreImm(asm.R3, 0, 1, asm.Word), asm.Mov.Imm(asm.R1, 1), atomically(asm.Xchg, asm.R2, asm.R1, 0, asm.Word))
	c.label(done)
}
