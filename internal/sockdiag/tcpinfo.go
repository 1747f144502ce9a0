package sockdiag

import (
	"encoding/binary"
	"time"
)

// TCPInfo is what the sensor uses of struct tcp_info (linux/tcp.h, filled by tcp_get_info, net/ipv4/tcp.c). The kernel
// appends fields with its versions, so a field is only there if Length reaches it; the others are 0.
type TCPInfo struct {
	Length        int           // of the kernel's struct in bytes, 0 if the socket came without
	Retransmits   uint8         // unanswered retransmissions in a row
	RTO           time.Duration // present retransmission timeout
	SendMSS       uint32
	Unacked       uint32        // segments in flight
	SinceSent     time.Duration // tcpi_last_data_sent: since payload, or a retransmission of it, last left; whole jiffies
	SinceReceived time.Duration // tcpi_last_data_recv
	PMTU          uint32
	RTT           time.Duration
	SendWindow    uint32 // congestion window in segments
	TotalRetrans  uint32
	BytesAcked    uint64 // 4.1: sequence space the peer acknowledged; SYN and FIN count one each
	BytesReceived uint64 // 4.1
	SegsOut       uint32 // 4.2: all segments, a SYN among them
	SegsIn        uint32 // 4.2
	DataSegsOut   uint32 // 4.6: segments with payload, retransmissions included
	Delivered     uint32 // 4.18
	BytesSent     uint64 // 4.19: payload, retransmissions included
	BytesRetrans  uint64 // 4.19
}

// Lengths of struct tcp_info up to and including the named fields.
const (
	lengthBase         = 104 // tcpi_total_retrans
	lengthBytesAcked   = 128
	lengthReceived     = 136
	lengthSegs         = 144
	lengthDataSegsOut  = 160
	lengthDelivered    = 196
	lengthBytesRetrans = 216
)

func (t *TCPInfo) decode(b []byte) {
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	if len(b) < lengthBase {
		return
	}
	t.Length = len(b)
	t.Retransmits = b[2]
	t.RTO = time.Duration(u32(8)) * time.Microsecond
	t.SendMSS = u32(16)
	t.Unacked = u32(24)
	t.SinceSent = time.Duration(u32(44)) * time.Millisecond
	t.SinceReceived = time.Duration(u32(52)) * time.Millisecond
	t.PMTU = u32(60)
	t.RTT = time.Duration(u32(68)) * time.Microsecond
	t.SendWindow = u32(80)
	t.TotalRetrans = u32(100)
	if len(b) >= lengthBytesAcked {
		t.BytesAcked = u64(120)
	}
	if len(b) >= lengthReceived {
		t.BytesReceived = u64(128)
	}
	if len(b) >= lengthSegs {
		t.SegsOut, t.SegsIn = u32(136), u32(140)
	}
	if len(b) >= lengthDataSegsOut {
		t.DataSegsOut = u32(156)
	}
	if len(b) >= lengthDelivered {
		t.Delivered = u32(192)
	}
	if len(b) >= lengthBytesRetrans {
		t.BytesSent, t.BytesRetrans = u64(200), u64(208)
	}
}

// CountsSent reports whether the kernel counts the payload bytes it sent (4.19 and later).
func (t *TCPInfo) CountsSent() bool { return t.Length >= lengthBytesRetrans }

// Sent returns the payload bytes sent so far, each byte once. Kernels before 4.19 do not count them; there it is what the
// peer acknowledged, SYN and FIN included, or 0 before 4.1. (data_segs_out came later than that, so no kernel has it as
// the only counter.)
func (t *TCPInfo) Sent() uint64 {
	if !t.CountsSent() {
		return t.BytesAcked
	}
	return t.BytesSent - min(t.BytesRetrans, t.BytesSent)
}
