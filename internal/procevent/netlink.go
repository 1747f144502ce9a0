package procevent

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The operations of enum proc_cn_mcast_op (linux/cn_proc.h).
const (
	listen uint32 = 1
	ignore uint32 = 2
)

// request returns a message to the connector: struct nlmsghdr, struct cn_msg and the operation.
func request(operation, token uint32) []byte {
	b := make([]byte, procEventAt+4)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE)
	binary.NativeEndian.PutUint32(b[cnMsgAt:], connectorIndex)
	binary.NativeEndian.PutUint32(b[cnMsgAt+4:], connectorIndex)
	binary.NativeEndian.PutUint32(b[cnAckAt:], token)
	binary.NativeEndian.PutUint16(b[cnLengthAt:], 4)
	binary.NativeEndian.PutUint32(b[procEventAt:], operation)
	return b
}

// filter accepts answers, forks whose child is a process, and the other kinds where thread and process id are the same. The kernel
// drops the rest, kinds we do not decode and events of threads, which on a busy host are most. Classic BPF loads in network order.
func filter() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: procEventAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(none), SkipTrue: 14},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Fork), SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Exec), SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Exit), SkipTrue: 7},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(UID), SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: network(Comm), SkipTrue: 5},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: payloadAt + 8, Size: 4}, // the child's thread id
		bpf.TAX{},
		bpf.LoadAbsolute{Off: payloadAt + 12, Size: 4}, // and process id
		bpf.Jump{Skip: 3},
		bpf.LoadAbsolute{Off: payloadAt, Size: 4},
		bpf.TAX{},
		bpf.LoadAbsolute{Off: payloadAt + 4, Size: 4},
		bpf.JumpIfX{Cond: bpf.JumpNotEqual, SkipTrue: 1},
		bpf.RetConstant{Val: datagramSize},
		bpf.RetConstant{Val: 0},
	}
}

// network returns k as a load in network order sees it.
func network(k Kind) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(k))
	return binary.BigEndian.Uint32(b[:])
}
