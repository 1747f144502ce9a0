package packet

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filter passes the headers of what is wanted: outgoing SYNs, UDP datagrams for or from this host. Offsets count from the
// network header, which is where a SOCK_DGRAM packet socket begins.
func filter(want Want) []bpf.Instruction {
	const (
		fragmentOffset = 0x1fff
		reject         = 20 // index of the instruction
		accept         = 21
	)
	udp, tcp := reject, reject
	if want&Datagrams != 0 {
		udp = accept
	}
	if want&SYNs != 0 {
		tcp = 15
	}
	to := func(from, target int) uint8 { return uint8(target - from - 1) }
	return []bpf.Instruction{
		0: bpf.LoadExtension{Num: bpf.ExtType},
		1: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: to(1, reject)},
		2: bpf.LoadExtension{Num: bpf.ExtProto},
		3: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: to(3, 11)},
		4: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: to(4, reject)},
		// IPv4
		5:  bpf.LoadAbsolute{Off: 6, Size: 2},
		6:  bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: fragmentOffset, SkipTrue: to(6, reject)},
		7:  bpf.LoadMemShift{Off: 0}, // X = length of the header
		8:  bpf.LoadAbsolute{Off: 9, Size: 1},
		9:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: to(9, udp)},
		10: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: to(10, tcp), SkipFalse: to(10, reject)},
		// IPv6
		11: bpf.LoadConstant{Dst: bpf.RegX, Val: header6},
		12: bpf.LoadAbsolute{Off: 6, Size: 1},
		13: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: to(13, udp)},
		14: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: to(14, tcp), SkipFalse: to(14, reject)},
		// TCP, behind X
		15: bpf.LoadExtension{Num: bpf.ExtType},
		16: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: to(16, reject)},
		17: bpf.LoadIndirect{Off: tcpFlags, Size: 1},
		18: bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN | flagACK},
		19: bpf.JumpIf{Cond: bpf.JumpEqual, Val: flagSYN, SkipTrue: to(19, accept)},

		reject: bpf.RetConstant{Val: 0},
		accept: bpf.RetConstant{Val: snap},
	}
}
