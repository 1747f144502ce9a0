package main

import (
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sending is what a copy of this program is told to do, by flags.
type sending struct {
	to      netip.AddrPort
	network string // tcp, udp, sctp or vsock; the second and third from a socket that is not connected
	sends   int
	bytes   int           // of the first send; each further one is a byte longer
	every   time.Duration // from one send to the next
	reset   bool          // close with SO_LINGER 0: a RST instead of a FIN
	lingers bool          // keep the socket until standard input ends
}

// total is the sum of the sizes of all sends.
func (s sending) total() uint64 {
	return uint64(s.sends*s.bytes + s.sends*(s.sends-1)/2)
}

// args are the flags that playSender reads.
func (s sending) args() []string {
	return []string{"-to", s.to.String(), "-network", s.network, fmt.Sprintf("-sends=%d", s.sends),
		fmt.Sprintf("-bytes=%d", s.bytes), fmt.Sprintf("-every=%s", s.every), fmt.Sprintf("-reset=%t", s.reset),
		fmt.Sprintf("-lingers=%t", s.lingers)}
}

// playSender opens a socket, sends and exits. It uses bare system calls: what a one-shot does besides should take no time.
func playSender(args []string) error {
	var s sending
	f := flag.NewFlagSet("sender", flag.ContinueOnError)
	f.TextVar(&s.to, "to", netip.AddrPort{}, "IPv4 address and port")
	f.StringVar(&s.network, "network", "tcp", "tcp, udp, sctp or vsock")
	f.IntVar(&s.sends, "sends", 1, "how many sends")
	f.IntVar(&s.bytes, "bytes", 1, "size of the first")
	f.DurationVar(&s.every, "every", 0, "time between them")
	f.BoolVar(&s.reset, "reset", false, "close with a RST")
	f.BoolVar(&s.lingers, "lingers", false, "keep the socket until standard input ends")
	if err := f.Parse(args); err != nil {
		return err
	}
	return s.play()
}

func (s sending) play() error {
	way, ok := ways[s.network]
	if !ok {
		return fmt.Errorf("no network %q", s.network)
	}
	to := way.address(s.to)
	payload := make([]byte, s.bytes+s.sends)
	fd, err := unix.Socket(way.family, way.kind|unix.SOCK_CLOEXEC, way.protocol)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if way.connects {
		if err := unix.Connect(fd, to); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	for i := range s.sends {
		if i > 0 {
			time.Sleep(s.every)
		}
		if err := s.send(fd, to, payload[:s.bytes+i]); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if s.lingers {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
	}
	if s.reset {
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return fmt.Errorf("set SO_LINGER: %w", err)
		}
	}
	return unix.Close(fd)
}

func (s sending) send(fd int, to unix.Sockaddr, payload []byte) error {
	if !ways[s.network].connects {
		return unix.Sendto(fd, payload, 0, to)
	}
	n, err := unix.Write(fd, payload)
	if err == nil && n != len(payload) {
		err = io.ErrShortWrite
	}
	return err
}
