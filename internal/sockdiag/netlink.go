package sockdiag

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// header is struct nlmsghdr (linux/netlink.h).
type header struct {
	length uint32
	kind   uint16
	flags  uint16
	seq    uint32
}

const headerSize = unix.SizeofNlMsghdr

// align rounds up to the 4 bytes netlink messages and attributes are aligned to (NLMSG_ALIGN, NLA_ALIGN).
func align(n int) int { return (n + 3) &^ 3 }

// cutMessage splits the first message off b. ok is false at the end of b and for a length that cannot be true; whole is
// false only for the latter.
func cutMessage(b []byte) (h header, body, rest []byte, ok, whole bool) {
	if len(b) == 0 {
		return h, nil, nil, false, true
	}
	if len(b) < headerSize {
		return h, nil, nil, false, false
	}
	h = header{length: binary.NativeEndian.Uint32(b), kind: binary.NativeEndian.Uint16(b[4:]),
		flags: binary.NativeEndian.Uint16(b[6:]), seq: binary.NativeEndian.Uint32(b[8:])}
	if h.length < headerSize || uint64(h.length) > uint64(len(b)) {
		return h, nil, nil, false, false
	}
	body = b[headerSize:h.length]
	return h, body, b[min(align(int(h.length)), len(b)):], true, true
}

// messageErrno returns the error number an NLMSG_ERROR or NLMSG_DONE message carries, 0 for none.
func messageErrno(body []byte) syscall.Errno {
	if len(body) < 4 {
		return 0
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code < 0 {
		return syscall.Errno(-int64(code))
	}
	return 0
}
