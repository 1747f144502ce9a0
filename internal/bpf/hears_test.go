package bpf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// listener returns a tracer that hears for long enough to be sure.
func listener(t *testing.T, cfg Config) *Tracer {
	t.Helper()
	cfg.Sends, cfg.Cgroup, cfg.settle = true, cgroup2(t), time.Nanosecond
	tracer := trace(t, cfg)
	if err := tracer.Hear(); err != nil {
		need.Skip(t, "%v", err)
	}
	return tracer
}

// datagramSocket returns a socket with a port of its own choice if at has one, and where it is.
func datagramSocket(t *testing.T, at string) (fd int, where unix.Sockaddr) {
	t.Helper()
	want := netip.MustParseAddrPort(at)
	family := unix.AF_INET
	if want.Addr().Is6() {
		family = unix.AF_INET6
		where = &unix.SockaddrInet6{Port: int(want.Port()), Addr: want.Addr().As16()}
	} else {
		where = &unix.SockaddrInet4{Port: int(want.Port()), Addr: want.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	require.NoError(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
	require.NoError(t, unix.Bind(fd, where))
	where, err = unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, where
}

// say sends a datagram and has it read.
func say(t *testing.T, from int, there unix.Sockaddr, to int) (sender unix.Sockaddr) {
	t.Helper()
	require.NoError(t, unix.Sendto(from, []byte{1}, 0, there))
	_, sender, err := unix.Recvfrom(to, make([]byte, 10), 0)
	require.NoError(t, err)
	return sender
}

// firstOf waits for a stream of a socket and returns whose its first datagram was.
func firstOf(t *testing.T, tracer *Tracer, fd int) (first First) {
	t.Helper()
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	require.NoError(t, err)
	read(t, tracer, func(e *Event) bool {
		first = e.First
		return e.Cookie == cookie && e.Kind == Sent && e.Sends == 1
	})
	return first
}

func TestFirst(t *testing.T) {
	tests := []struct{ name, server, client string }{
		{"IPv4", "127.0.0.1:20123", "127.0.0.1:20124"},
		{"IPv6", "[::1]:20123", "[::1]:20124"},
		{"IPv4 at a socket of both families", "[::]:20123", "127.0.0.1:20124"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tracer := listener(t, Config{Idle: 500 * time.Millisecond, Window: time.Millisecond})
			server, _ := datagramSocket(t, tt.server)
			client, _ := datagramSocket(t, tt.client)
			var there unix.Sockaddr = &unix.SockaddrInet4{Port: 20123, Addr: [4]byte{127, 0, 0, 1}}
			if netip.MustParseAddrPort(tt.client).Addr().Is6() {
				there = &unix.SockaddrInet6{Port: 20123, Addr: [16]byte{15: 1}}
			}
			asker := say(t, client, there, server)
			say(t, server, asker, client)
			require.Equal(t, Ours, firstOf(t, tracer, client))
			// the answer was heard; when the client speaks again after a long silence, it is still the one who began
			read(t, tracer, func(e *Event) bool { return e.Kind == Forgotten && e.First == Ours })
			say(t, client, there, server)
			require.Equal(t, Ours, firstOf(t, tracer, client))
			say(t, server, asker, client)
			require.Equal(t, Theirs, firstOf(t, tracer, server))
		})
	}
}

// Where the kernel chose the port, and where the socket is connected, nobody can have spoken first, or nobody can tell.
func TestFirstIsNotAsked(t *testing.T) {
	tracer := listener(t, Config{})
	server, there := datagramSocket(t, "127.0.0.1:0")
	unbound, _ := datagramSocket(t, "127.0.0.1:0")
	say(t, unbound, there, server)
	require.Equal(t, NotAsked, firstOf(t, tracer, unbound))
	connected, _ := datagramSocket(t, "127.0.0.1:20125")
	require.NoError(t, unix.Connect(connected, there))
	_, err := unix.Write(connected, []byte{1})
	require.NoError(t, err)
	require.Equal(t, NotAsked, firstOf(t, tracer, connected))
}

// What began before Hear, or so shortly after it that what it answers may have come before, is not known.
func TestFirstIsNotHeard(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), settle: time.Hour})
	server, there := datagramSocket(t, "127.0.0.1:20126")
	for port := range 2 {
		client, back := datagramSocket(t, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(20127+port)).String())
		say(t, client, there, server)
		say(t, server, back, client)
		require.Equal(t, NotHeard, firstOf(t, tracer, client))
		if port == 0 {
			require.NoError(t, tracer.Hear())
		}
	}
}

// Without a cgroup2 hierarchy nothing is heard, and the caller is told.
func TestHearIsRefused(t *testing.T) {
	tracer, err := Open(Config{Sends: true})
	if err != nil {
		need.Skip(t, "%v", err)
	}
	defer func() { require.NoError(t, tracer.Close()) }()
	require.ErrorIs(t, tracer.Hear(), unix.ENOENT)
}
