package main

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// way is how sockets of a network send.
type way struct {
	family, kind, protocol int
	connects               bool
	address                func(netip.AddrPort) unix.Sockaddr
}

// ways are the networks by their names. SCTP sends from a socket that may have many peers (sctp(7)), vsock to this machine itself
// (vsock(7)).
var ways = map[string]way{
	"tcp":   {unix.AF_INET, unix.SOCK_STREAM, 0, true, internet},
	"udp":   {unix.AF_INET, unix.SOCK_DGRAM, 0, false, internet},
	"sctp":  {unix.AF_INET, unix.SOCK_SEQPACKET, unix.IPPROTO_SCTP, false, internet},
	"vsock": {unix.AF_VSOCK, unix.SOCK_STREAM, 0, true, local},
}

func internet(to netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
}

func local(to netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrVM{CID: unix.VMADDR_CID_LOCAL, Port: uint32(to.Port())}
}
