package bpf

import (
	"errors"
	"net"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// errAbsent says that this kernel has no such way to send.
var errAbsent = errors.New("not in this kernel")

// A method sends want bytes in all from one socket to the address at to and returns the socket.
type method struct {
	name    string
	kind    int // socket type
	network string
	want    uint64
	sends   uint64
	send    func(fd int, to unix.Sockaddr) error
}

func connectAnd(send func(fd int) error) func(int, unix.Sockaddr) error {
	return func(fd int, to unix.Sockaddr) error {
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
		return send(fd)
	}
}

func write(n int) func(int) error {
	return func(fd int) error { _, err := unix.Write(fd, make([]byte, n)); return err }
}

var methods = []method{
	{"tcp write", unix.SOCK_STREAM, "tcp4", 700, 1, connectAnd(write(700))},
	{"tcp6 write", unix.SOCK_STREAM, "tcp6", 700, 1, connectAnd(write(700))},
	{"tcp writev", unix.SOCK_STREAM, "tcp4", 30, 1, connectAnd(func(fd int) error {
		_, err := unix.Writev(fd, [][]byte{make([]byte, 10), make([]byte, 20)})
		return err
	})},
	{"tcp sendmmsg", unix.SOCK_STREAM, "tcp4", 30, 3, connectAnd(func(fd int) error { return sendmmsg(fd, nil, 3, 10) })},
	{"tcp sendfile", unix.SOCK_STREAM, "tcp4", 5000, 1, connectAnd(sendfile)},
	{"tcp splice", unix.SOCK_STREAM, "tcp4", 4000, 1, connectAnd(splice)},
	{"tcp zero copy", unix.SOCK_STREAM, "tcp4", 9000, 1, connectAnd(func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); err != nil {
			return errAbsent
		}
		return unix.Sendto(fd, make([]byte, 9000), unix.MSG_ZEROCOPY, nil)
	})},
	{"tcp io_uring", unix.SOCK_STREAM, "tcp4", 123, 1, connectAnd(func(fd int) error { return uringSend(fd, 123) })},
	{"tcp6 io_uring", unix.SOCK_STREAM, "tcp6", 124, 1, connectAnd(func(fd int) error { return uringSend(fd, 124) })},
	{"tcp fast open", unix.SOCK_STREAM, "tcp4", 321, 1, func(fd int, to unix.Sockaddr) error {
		return unix.Sendto(fd, make([]byte, 321), unix.MSG_FASTOPEN, to)
	}},
	{"udp connected", unix.SOCK_DGRAM, "udp4", 64, 1, connectAnd(write(64))},
	{"udp6 connected", unix.SOCK_DGRAM, "udp6", 64, 1, connectAnd(write(64))},
	{"udp sendto", unix.SOCK_DGRAM, "udp4", 65, 1, func(fd int, to unix.Sockaddr) error {
		return unix.Sendto(fd, make([]byte, 65), 0, to)
	}},
	{"udp6 sendto", unix.SOCK_DGRAM, "udp6", 66, 1, func(fd int, to unix.Sockaddr) error {
		return unix.Sendto(fd, make([]byte, 66), 0, to)
	}},
	{"udp empty datagram", unix.SOCK_DGRAM, "udp4", 0, 1, func(fd int, to unix.Sockaddr) error {
		return unix.Sendto(fd, nil, 0, to)
	}},
	{"udp sendmmsg", unix.SOCK_DGRAM, "udp4", 40, 4, func(fd int, to unix.Sockaddr) error { return sendmmsg(fd, to, 4, 10) }},
	{"udp6 sendmmsg", unix.SOCK_DGRAM, "udp6", 40, 4, func(fd int, to unix.Sockaddr) error { return sendmmsg(fd, to, 4, 10) }},
	{"udp segmentation offload", unix.SOCK_DGRAM, "udp4", 3000, 1, segments},
	{"udp6 segmentation offload", unix.SOCK_DGRAM, "udp6", 3000, 1, segments},
	{"udp more", unix.SOCK_DGRAM, "udp4", 30, 2, func(fd int, to unix.Sockaddr) error {
		if err := unix.Sendto(fd, make([]byte, 10), unix.MSG_MORE, to); err != nil {
			return err
		}
		_, err := unix.Write(fd, make([]byte, 20)) // goes where the first part went
		return err
	}},
	{"udp sendto elsewhere than connected", unix.SOCK_DGRAM, "udp4", 11, 1, func(fd int, to unix.Sockaddr) error {
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 9}, Port: 9}); err != nil {
			return err
		}
		return unix.Sendto(fd, make([]byte, 11), 0, to)
	}},
	{"udp io_uring", unix.SOCK_DGRAM, "udp4", 99, 1, connectAnd(func(fd int) error { return uringSend(fd, 99) })},
	{"udp io_uring sendmsg", unix.SOCK_DGRAM, "udp4", 98, 1, func(fd int, to unix.Sockaddr) error { return uringSendmsg(fd, 98, to) }},
	{"udp6 io_uring sendmsg", unix.SOCK_DGRAM, "udp6", 97, 1, func(fd int, to unix.Sockaddr) error { return uringSendmsg(fd, 97, to) }},
}

func TestEveryWayToSend(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			to, name := receiver(t, m.network)
			family := unix.AF_INET
			if m.network[3] == '6' {
				family = unix.AF_INET6
			}
			fd, err := unix.Socket(family, m.kind|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			require.NoError(t, err)
			err = m.send(fd, to)
			require.NoError(t, unix.Close(fd))
			if errors.Is(err, errAbsent) {
				need.Skip(t, "%v", err)
			}
			require.NoError(t, err)
			read(t, tracer, func(e *Event) bool {
				if e.Cookie != cookie || e.Sends == 0 || e.Remote.String() != name {
					require.False(t, e.Cookie == cookie && e.Kind == Sent && e.Remote.String() != name, "sent to %v", e.Remote)
					return false
				}
				require.LessOrEqual(t, e.Bytes, m.want)
				require.LessOrEqual(t, e.Sends, m.sends)
				require.Equal(t, int32(os.Getpid()), e.Owner.PID)
				return e.Bytes == m.want && e.Sends == m.sends
			})
		})
	}
}

// receiver returns where to send, as a socket address and as text.
func receiver(t *testing.T, network string) (unix.Sockaddr, string) {
	host := "127.0.0.1"
	if network[3] == '6' {
		host = "::1"
	}
	var port int
	var name string
	if network[:3] == "tcp" {
		at := sink(t, net.JoinHostPort(host, "0")).(*net.TCPAddr)
		port, name = at.Port, at.String()
	} else {
		c, err := net.ListenPacket(network, net.JoinHostPort(host, "0"))
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		port, name = c.LocalAddr().(*net.UDPAddr).Port, c.LocalAddr().String()
	}
	if network[3] == '6' {
		return &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}, name
	}
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, name
}

func sendfile(fd int) error {
	f, err := os.CreateTemp("", "bpf-sendfile-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, 5000)); err != nil {
		return err
	}
	var offset int64
	_, err = unix.Sendfile(fd, int(f.Fd()), &offset, 5000)
	return err
}

func splice(fd int) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if _, err := unix.Write(p[1], make([]byte, 4000)); err != nil {
		return err
	}
	_, err := unix.Splice(p[0], nil, fd, nil, 4000, 0)
	return err
}

// rawAddress is an address as the kernel reads it; nothing of none.
func rawAddress(a unix.Sockaddr) (name *byte, length uint32) {
	port := func(p int) uint16 { return uint16(p>>8 | p<<8&0xff00) }
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port(a.Port), Addr: a.Addr}
		return (*byte)(unsafe.Pointer(&raw)), unix.SizeofSockaddrInet4
	case *unix.SockaddrInet6:
		raw := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port(a.Port), Addr: a.Addr}
		return (*byte)(unsafe.Pointer(&raw)), unix.SizeofSockaddrInet6
	}
	return nil, 0
}

// segments sends a datagram that is cut into three on its way (UDP_SEGMENT, udp(7)).
func segments(fd int, to unix.Sockaddr) error {
	const udpSegment = 103 // linux/udp.h
	if err := unix.SetsockoptInt(fd, unix.SOL_UDP, udpSegment, 1000); err != nil {
		return errAbsent
	}
	return unix.Sendto(fd, make([]byte, 3000), 0, to)
}

// sendmmsg sends n messages of size bytes in one call (sendmmsg(2)).
func sendmmsg(fd int, to unix.Sockaddr, n, size int) error {
	type message struct {
		header unix.Msghdr
		length uint32
	}
	payload := make([]byte, size)
	vector := unix.Iovec{Base: &payload[0]}
	vector.SetLen(size)
	messages := make([]message, n)
	name, length := rawAddress(to)
	for i := range messages {
		h := &messages[i].header
		h.Iov = &vector
		h.SetIovlen(1)
		h.Name, h.Namelen = name, length
	}
	sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(n), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if int(sent) != n {
		return errors.New("sendmmsg: short")
	}
	return nil
}
