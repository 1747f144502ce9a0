package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

// receiver swallows what arrives at one port, and counts it.
type receiver struct {
	connections, bytes atomic.Uint64
	socket             io.Closer
}

// receive listens at a port of the server until it is closed.
func (n network) receive(protocol string, port uint16) (*receiver, error) {
	r := &receiver{}
	address := fmt.Sprintf("%s:%d", server, port)
	err := n.outside.do(func() error {
		switch protocol {
		case "udp":
			conn, err := net.ListenPacket("udp4", address)
			if err != nil {
				return err
			}
			r.socket = conn
			go r.drainPackets(conn)
			return enlarge(conn.(*net.UDPConn))
		case "sctp", "vsock":
			fd, err := listenRaw(protocol, netip.MustParseAddrPort(address))
			if err != nil {
				return err
			}
			r.socket = fd
			go r.drainRaw(fd)
			return nil
		}
		listener, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		r.socket = listener
		go r.drainConnections(listener)
		return nil
	})
	return r, err
}

// enlarge has the kernel hold everything that is sent here, should no one read it meanwhile.
func enlarge(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	})
	return errors.Join(err, refused)
}

func (r *receiver) drainPackets(conn net.PacketConn) {
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		_, _ = r.Write(buffer[:n])
	}
}

func (r *receiver) drainConnections(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		r.connections.Add(1)
		go func() {
			defer conn.Close()
			_, _ = io.Copy(r, conn) // a RST ends it with an error, which is one way to end
		}()
	}
}

// Write counts bytes.
func (r *receiver) Write(p []byte) (int, error) {
	r.bytes.Add(uint64(len(p)))
	return len(p), nil
}

// count is what has arrived so far.
func (r *receiver) count() figures.Count {
	return figures.Count{Connections: r.connections.Load(), Bytes: r.bytes.Load()}
}
