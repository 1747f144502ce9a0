package bpf

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// begin takes a slot for a new stream, whose key is in the template, fills it and reports its first send.
func (c *code) begin(cfg Config, m *maps) {
	const exists = -17 // EEXIST
	c.zero(asm.RFP, template+keySize, recordSize-keySize)
	c.identity(asm.RFP, template)
	c.local(asm.RFP, template, "begin")
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atFlags, asm.Half), asm.LoadMem(asm.R2, asm.RFP, peeked, asm.Word),
		asm.Or.Reg(asm.R1, asm.R2), asm.StoreMem(asm.RFP, template+atFlags, asm.R1, asm.Half))
	c.owner(asm.RFP, template)
	c.now()
	for _, at := range []int16{template + atTime, template + atBorn, report + reportTime, report + reportBorn} {
		c.add(asm.StoreMem(asm.RFP, at, asm.R0, asm.DWord))
	}
	c.first(m)
	c.add(asm.FnJiffies64.Call())
	for _, at := range []int16{template + atTicks, template + atReported} {
		c.add(asm.StoreMem(asm.RFP, at, asm.R0, asm.DWord))
	}
	c.add(asm.StoreImm(asm.RFP, template+atKind, int64(Sent), asm.Word), asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(asm.RFP, template+atSends, asm.R1, asm.DWord), asm.StoreMem(asm.RFP, report+reportSends, asm.R1, asm.DWord))
	for _, at := range []int16{template + atBytes, template + atSize, report + reportBytes} {
		c.add(asm.StoreMem(asm.RFP, at, number, asm.DWord))
	}
	c.zero(asm.RFP, report+reportPrevious, 16)

	c.add(asm.LoadMapPtr(asm.R1, m.free.FD()))
	c.stack(asm.R2, slotAt)
	c.add(asm.FnMapPopElem.Call(), asm.JNE.Imm(asm.R0, 0, "untracked"))
	c.lookup(m.slots, asm.RFP, slotAt)
	c.add(asm.JEq.Imm(asm.R0, 0, exit), asm.Mov.Reg(other, asm.R0),
		asm.LoadMem(asm.R1, asm.RFP, slotAt, asm.Word), asm.StoreMem(asm.RFP, template+atSlot, asm.R1, asm.Word))
	c.copy(other, atPID, asm.RFP, template+atPID, 8)
	c.copy(other, atRemote, asm.RFP, template+atRemote, recordSize-atRemote)
	c.add(asm.LoadMapPtr(asm.R1, m.index.FD()))
	c.stack(asm.R2, template+atKey)
	c.stack(asm.R3, slotAt)
	c.add(asm.Mov.Imm(asm.R4, unix.BPF_NOEXIST), asm.FnMapUpdateElem.Call(), asm.JEq.Imm(asm.R0, 0, "first"))
	// give it back: another thread was faster
	c.add(asm.Mov.Reg(other, asm.R0), asm.LoadMapPtr(asm.R1, m.free.FD()))
	c.stack(asm.R2, slotAt)
	c.add(asm.Mov.Imm(asm.R3, unix.BPF_ANY), asm.FnMapPushElem.Call(), asm.JNE.Imm(other, exists, "untracked"))
	c.lookup(m.index, asm.RFP, template+atKey)
	c.add(asm.JEq.Imm(asm.R0, 0, "untracked"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word), asm.StoreMem(asm.RFP, slotAt, asm.R1, asm.Word))
	c.lookup(m.slots, asm.RFP, slotAt)
	c.add(asm.JNE.Imm(asm.R0, 0, "add"), asm.Ja.Label(exit))

	// with a cookie it is the stream's also for those who do not come by the index
	c.label("first")
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atCookie, asm.DWord), atomically(asm.Xchg, other, asm.R1, atCookie, asm.DWord))
	c.add(asm.JEq.Imm(value, 0, "told"), asm.LoadMem(asm.R1, asm.RFP, slotAt, asm.Word),
		asm.StoreMem(value, atSlot, asm.R1, asm.Word))
	c.label("told")
	c.head()
	// of a TCP stream the reader was woken when the connection was established
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atProtocol, asm.Half), asm.Mov.Imm(asm.R4, unix.BPF_RB_NO_WAKEUP),
		asm.JEq.Imm(asm.R1, unix.IPPROTO_TCP, "woken"), asm.Mov.Imm(asm.R4, 0))
	c.label("woken")
	c.put(m.ring, asm.RFP, report, reportSize)
	c.add(asm.JEq.Imm(asm.R0, 0, exit), asm.Ja.Label("lost"))
}

// untracked reports a send that has no slot, all there is to know of it.
func (c *code) untracked(m *maps) {
	c.add(asm.LoadMem(asm.R1, asm.RFP, template+atFlags, asm.Half), asm.Or.Imm(asm.R1, flagUntracked),
		asm.StoreMem(asm.RFP, template+atFlags, asm.R1, asm.Half), asm.StoreImm(asm.RFP, template+atSlot, 0, asm.Word))
	c.count(m.counters, untracked, scratch, exit)
	c.output(m.ring, asm.RFP, template, recordSize, 0)
	c.add(asm.JEq.Imm(asm.R0, 0, exit))
	c.count(m.counters, lost, scratch, exit) // not even a total remembers it
}
