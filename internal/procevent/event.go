package procevent

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"time"
)

// Kind says what happened to a process (enum proc_cn_event, linux/cn_proc.h).
type Kind uint32

// Fork is a new process, Exec a new program in it, UID a change of its user, Comm of its name, Exit its end.
const (
	Fork Kind = 0x00000001
	Exec Kind = 0x00000002
	UID  Kind = 0x00000004
	Comm Kind = 0x00000200
	Exit Kind = 0x80000000
)

// none is the kernel's answer to a request.
const none Kind = 0

// String returns the lower-case name.
func (k Kind) String() string {
	switch k {
	case Fork:
		return "fork"
	case Exec:
		return "exec"
	case UID:
		return "uid"
	case Comm:
		return "comm"
	case Exit:
		return "exit"
	}
	return "unknown"
}

// Event is one event of a process; those of further threads are not reported. Process ids are those of the initial PID
// namespace.
type Event struct {
	Kind Kind
	PID  int32
	// Parent is the process that forked (Fork), or the one that may collect the exit status (Exit, 4.18 and later; else 0).
	Parent int32
	// At is when, on CLOCK_MONOTONIC.
	At time.Duration
	// User is the new effective user id (UID).
	User uint32
	// Status is the exit status as wait(2) gives it (Exit).
	Status syscall.WaitStatus
	// Comm is the new name, padded with zeros (Comm).
	Comm [16]byte
}

// Name returns Comm as a string.
func (e Event) Name() string {
	name, _, _ := bytes.Cut(e.Comm[:], []byte{0})
	return string(name)
}

// Offsets in one datagram: struct nlmsghdr (linux/netlink.h), struct cn_msg (linux/connector.h), struct proc_event
// (linux/cn_proc.h). The kernel sends them unaligned, and aligns no 64-bit field to more than 4.
const (
	cnMsgAt     = 16
	cnAckAt     = cnMsgAt + 12
	cnLengthAt  = cnMsgAt + 16
	procEventAt = cnMsgAt + 20
	timestampAt = procEventAt + 8
	payloadAt   = procEventAt + 16

	connectorIndex = 1 // CN_IDX_PROC and CN_VAL_PROC
)

// payloadSizes are the least payload each kind must have.
func payloadSize(k Kind) int {
	switch k {
	case Fork, UID:
		return 16
	case Exec:
		return 8
	case Comm:
		return 24
	case Exit:
		return 16
	case none:
		return 4
	}
	return 0
}

// decode fills e from one datagram. ack and errno are those of an answer (Kind none). It is false for a datagram that is none
// of the connector's, lies about its length or is of a kind not listed above.
func (e *Event) decode(b []byte) (ack uint32, errno syscall.Errno, ok bool) {
	if len(b) < payloadAt {
		return 0, 0, false
	}
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	total := u32(0)
	if total < payloadAt || uint64(total) > uint64(len(b)) || u32(cnMsgAt) != connectorIndex || u32(cnMsgAt+4) != connectorIndex {
		return 0, 0, false
	}
	length := int(binary.NativeEndian.Uint16(b[cnLengthAt:]))
	if procEventAt+length > int(total) {
		return 0, 0, false
	}
	kind := Kind(u32(procEventAt))
	need := payloadSize(kind)
	if need == 0 || procEventAt+16+need > procEventAt+length {
		return 0, 0, false
	}
	*e = Event{Kind: kind, At: time.Duration(binary.NativeEndian.Uint64(b[timestampAt:]))}
	switch kind {
	case none:
		return u32(cnAckAt), syscall.Errno(u32(payloadAt)), true
	case Fork:
		e.Parent, e.PID = int32(u32(payloadAt+4)), int32(u32(payloadAt+12))
		return 0, 0, true
	}
	e.PID = int32(u32(payloadAt + 4))
	switch kind {
	case UID:
		e.User = u32(payloadAt + 12)
	case Comm:
		copy(e.Comm[:], b[payloadAt+8:payloadAt+24])
	case Exit:
		e.Status = syscall.WaitStatus(u32(payloadAt + 8))
		if length >= 16+24 {
			e.Parent = int32(u32(payloadAt + 20))
		}
	}
	return 0, 0, true
}
