package dump_test

import (
	"encoding/binary"
	"testing"

	gopsutil "github.com/shirou/gopsutil/v3/net"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// reader reads all TCP sockets of the host once and returns how many it saw.
type reader struct {
	name string
	read func() (int, error)
}

// readers are the ways compared, ours first.
func readers(tb testing.TB) []reader {
	ours, err := sockdiag.Dial(sockdiag.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { ours.Close() })
	return []reader{
		{"sockdiag", func() (int, error) { return dumpOurs(ours) }},
		{"bare", newBare(tb).read},
		{"vishvananda", dumpVishvananda},
		{"gopsutil", func() (int, error) {
			all, err := gopsutil.Connections("tcp")
			return len(all), err
		}},
	}
}

func dumpOurs(c *sockdiag.Conn) (n int, err error) {
	d, err := c.DumpTCP(sockdiag.Connections)
	if err != nil {
		return 0, err
	}
	var s sockdiag.Socket
	for d.Receive() {
		for d.Next(&s) {
			n++
		}
	}
	return n, d.Err()
}

func dumpVishvananda() (n int, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		all, err := netlink.SocketDiagTCPInfo(family)
		if err != nil {
			return 0, err
		}
		n += len(all)
	}
	return n, nil
}

// bare is the floor of any reader: it asks for the same walk and looks at nothing but the end of it.
type bare struct {
	fd      int
	request []byte
	buffer  []byte
}

func newBare(tb testing.TB) *bare {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	require.NoError(tb, err)
	tb.Cleanup(func() { unix.Close(fd) })
	const size, dumpTCP, wantInfo = 76, 18, 1 << 1 // struct nlmsghdr, struct inet_diag_req
	request := make([]byte, size)
	binary.NativeEndian.PutUint32(request, size)
	binary.NativeEndian.PutUint16(request[4:], dumpTCP)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[19] = wantInfo
	binary.NativeEndian.PutUint32(request[68:], uint32(sockdiag.Connections))
	return &bare{fd: fd, request: request, buffer: make([]byte, 32<<10)}
}

func (b *bare) read() (bytes int, err error) {
	if err := unix.Sendto(b.fd, b.request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	const doneSize = unix.SizeofNlMsghdr + 4 // the last message of the last chunk
	for {
		n, err := unix.Read(b.fd, b.buffer)
		if err != nil {
			return 0, err
		}
		bytes += n
		if n >= doneSize && binary.NativeEndian.Uint16(b.buffer[n-doneSize+4:]) == unix.NLMSG_DONE {
			return bytes, nil
		}
	}
}
