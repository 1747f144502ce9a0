package bpf

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// statesProgram is attached to tp_btf/inet_sock_set_state(sk, oldstate, newstate). At SYN_SENT, in connect, it notes in the
// storage of the socket who opens a connection to whom; at ESTABLISHED it reports that, with the local port, which is known by
// then; at CLOSE, when the ports may be gone, it reports what the connection carried. Sockets without storage were opened
// from elsewhere or before our time, and cost one failed look into the socket.
//
// MPTCP sockets are noted, so that their sends count, but only their subflows are reported.
func statesProgram(f *fields, m *maps, cfg Config) asm.Instructions {
	const (
		create  = unix.BPF_LOCAL_STORAGE_GET_F_CREATE
		scratch = -8
		slot    = scratch - 8
	)
	c := &code{fields: f}
	c.add(asm.LoadMem(socket, asm.R1, 0, asm.DWord), asm.LoadMem(number, asm.R1, 8, asm.DWord),
		asm.LoadMem(other, asm.R1, 16, asm.DWord))
	c.load(asm.R1, socket, f.protocol)
	c.add(asm.JEq.Imm(asm.R1, unix.IPPROTO_TCP, "tcp"), asm.JNE.Imm(asm.R1, unix.IPPROTO_MPTCP, exit))
	c.label("tcp")
	c.add(asm.JEq.Imm(other, synSent, "connect"), asm.JEq.Imm(other, established, "old"),
		asm.JNE.Imm(other, closed, exit))

	c.label("old")
	c.storage(m.sockets, 0)
	c.add(asm.JEq.Imm(asm.R0, 0, exit), asm.Mov.Reg(value, asm.R0))
	c.now()
	c.add(asm.StoreMem(value, atTime, asm.R0, asm.DWord))
	c.add(asm.LoadMem(asm.R1, value, atProtocol, asm.Half), asm.JEq.Imm(asm.R1, unix.IPPROTO_MPTCP, exit))
	c.add(asm.JEq.Imm(other, closed, "close"))
	c.add(asm.StoreImm(value, atKind, int64(Opened), asm.Word))
	c.local(value, 0, "established")
	c.output(m.ring, value, 0, recordSize, 0)
	c.add(asm.JEq.Imm(asm.R0, 0, exit))
	c.count(m.counters, lost, scratch, exit)
	c.add(asm.Ja.Label(exit))

	c.label("connect")
	c.storage(m.sockets, create)
	c.add(asm.JEq.Imm(asm.R0, 0, "unstored"), asm.Mov.Reg(value, asm.R0))
	c.zero(value, 0, recordSize)
	c.cookie(value, 0, "connect")
	c.identity(value, 0)
	c.local(value, 0, "connect local")
	c.remote(value, 0, "connect remote")
	c.owner(value, 0)
	c.now()
	c.add(asm.StoreMem(value, atOpened, asm.R0, asm.DWord), asm.StoreMem(value, atTime, asm.R0, asm.DWord))
	c.add(asm.Ja.Label(exit))
	c.label("unstored")
	c.count(m.counters, unstored, scratch, exit)
	c.add(asm.Ja.Label(exit))

	c.label("close")
	c.add(asm.StoreImm(value, atKind, int64(Closed), asm.Word), asm.StoreMem(value, atState, number, asm.Half))
	c.load(asm.R1, socket, f.err)
	c.add(asm.StoreMem(value, atErrno, asm.R1, asm.Word))
	c.connection()
	if m.slots != nil {
		c.openersStream(m, slot)
	}
	// the reader was woken when it opened; of an attempt that failed it has not heard yet
	c.add(asm.JEq.Imm(number, synSent, "failed"))
	c.outputQuietly(m, cfg, value, 0, recordSize)
	c.add(asm.Ja.Label("told"))
	c.label("failed")
	c.output(m.ring, value, 0, recordSize, 0)
	c.label("told")
	c.add(asm.JNE.Imm(asm.R0, 0, "full"))
	if m.slots != nil { // else Flush finds what it sent
		c.add(asm.LoadMapPtr(asm.R1, m.index.FD()), asm.Mov.Reg(asm.R2, value), asm.Add.Imm(asm.R2, atKey),
			asm.FnMapDeleteElem.Call())
	}
	c.add(asm.Ja.Label("delete"))
	c.label("full")
	c.count(m.counters, lost, scratch, "delete")
	c.label("delete")
	c.add(asm.LoadMapPtr(asm.R1, m.sockets.FD()), asm.Mov.Reg(asm.R2, socket), asm.FnSkStorageDelete.Call())
	return c.end(0)
}

// openersStream fills in the slot and the totals of the stream of who connected, if it has one. slot is an address on the stack.
func (c *code) openersStream(m *maps, slot int16) {
	const done = "report"
	c.add(asm.LoadMem(asm.R1, value, atSlot, asm.Word), asm.JEq.Imm(asm.R1, 0, done)) // nobody has sent
	c.add(asm.StoreImm(value, atSlot, 0, asm.Word))
	c.lookup(m.index, value, atKey)
	c.add(asm.JEq.Imm(asm.R0, 0, done), asm.LoadMem(asm.R1, asm.R0, 0, asm.Word), asm.StoreMem(asm.RFP, slot, asm.R1, asm.Word))
	c.lookup(m.slots, asm.RFP, slot)
	c.add(asm.JEq.Imm(asm.R0, 0, done), asm.LoadMem(asm.R1, asm.RFP, slot, asm.Word),
		asm.StoreMem(value, atSlot, asm.R1, asm.Word))
	c.copy(value, atBytes, asm.R0, atBytes, atTime-atBytes)
	c.copy(value, atPrevious, asm.R0, atTime, 8)
	c.copy(value, atBorn, asm.R0, atBorn, 8)
	c.label(done)
}

// connection fills in the counters of struct tcp_sock, those tcp_info is made of.
func (c *code) connection() {
	c.add(asm.Mov.Reg(asm.R1, socket), asm.FnSkcToTcpSock.Call(), asm.JEq.Imm(asm.R0, 0, "no counters"))
	c.load(asm.R1, asm.R0, c.fields.bytesSent)
	c.load(asm.R2, asm.R0, c.fields.bytesRetrans)
	c.add(asm.Sub.Reg(asm.R1, asm.R2), asm.StoreMem(value, atSize, asm.R1, asm.DWord))
	c.load(asm.R1, asm.R0, c.fields.bytesReceived)
	c.add(asm.StoreMem(value, atReceived, asm.R1, asm.DWord))
	c.load(asm.R1, asm.R0, c.fields.totalRetrans)
	c.add(asm.StoreMem(value, atRetrans, asm.R1, asm.Word))
	if c.fields.isMPTCP != (field{}) {
		c.load(asm.R1, asm.R0, c.fields.isMPTCP)
		c.add(asm.And.Imm(asm.R1, 1), asm.LSh.Imm(asm.R1, 2), asm.LoadMem(asm.R2, value, atFlags, asm.Half),
			asm.Or.Reg(asm.R1, asm.R2), asm.StoreMem(value, atFlags, asm.R1, asm.Half))
	}
	c.label("no counters")
}
