package packet

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// instructions up to here look at the headers of the network layer.
const behindHeaders = 15

// to is how far an instruction must skip to reach another.
func to(from, target int) uint8 { return uint8(target - from - 1) }

// headers is how a filter begins: UDP and TCP packets for or from this host go on at the instructions udp and tcp with X at
// the transport header, all else and packets with any of the fragment bits at reject. Offsets count from the network header,
// which is where a SOCK_DGRAM packet socket begins.
func headers(fragment uint32, udp, tcp, reject int) []bpf.Instruction {
	return []bpf.Instruction{
		0: bpf.LoadExtension{Num: bpf.ExtType},
		1: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: to(1, reject)},
		2: bpf.LoadExtension{Num: bpf.ExtProto},
		3: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: to(3, 11)},
		4: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: to(4, reject)},
		// IPv4
		5:  bpf.LoadAbsolute{Off: 6, Size: 2},
		6:  bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: fragment, SkipTrue: to(6, reject)},
		7:  bpf.LoadMemShift{Off: 0}, // X = length of the header
		8:  bpf.LoadAbsolute{Off: 9, Size: 1},
		9:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: to(9, udp)},
		10: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: to(10, tcp), SkipFalse: to(10, reject)},
		// IPv6
		11: bpf.LoadConstant{Dst: bpf.RegX, Val: header6},
		12: bpf.LoadAbsolute{Off: 6, Size: 1},
		13: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: to(13, udp)},
		14: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: to(14, tcp), SkipFalse: to(14, reject)},
	}
}

// filter passes the headers of what is wanted: outgoing SYNs, UDP datagrams for or from this host.
func filter(want Want) []bpf.Instruction {
	const (
		laterFragment = 0x1fff
		syn           = behindHeaders
		reject        = 20
		accept        = 21
	)
	udp, tcp := reject, reject
	if want&Datagrams != 0 {
		udp = accept
	}
	if want&SYNs != 0 {
		tcp = syn
	}
	return append(headers(laterFragment, udp, tcp, reject),
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: to(syn+1, reject)},
		bpf.LoadIndirect{Off: tcpFlags, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN | flagACK},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: flagSYN, SkipTrue: to(syn+4, accept)},
		bpf.RetConstant{Val: 0},    // reject
		bpf.RetConstant{Val: snap}, // accept
	)
}

// dnsFilter passes whole UDP datagrams that leave for the port of name servers, or come from it.
func dnsFilter() []bpf.Instruction {
	const (
		anyFragment = 0x3fff // more to come, or not the first
		ports       = behindHeaders
		leaving     = 19
		reject      = 21
		accept      = 22
	)
	return append(headers(anyFragment, ports, reject, reject),
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: to(ports+1, leaving)},
		bpf.LoadIndirect{Off: 0, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: dnsPort, SkipTrue: to(ports+3, accept), SkipFalse: to(ports+3, reject)},
		bpf.LoadIndirect{Off: 2, Size: 2}, // leaving
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: dnsPort, SkipTrue: to(leaving+1, accept)},
		bpf.RetConstant{Val: 0},       // reject
		bpf.RetConstant{Val: dnsSnap}, // accept
	)
}
