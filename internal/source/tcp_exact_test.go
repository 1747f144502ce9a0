package source

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// dialMapped connects an IPv6 socket to an IPv4 address.
func dialMapped(t *testing.T, to netip.AddrPort) (fd int, local netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		need.Skip(t, "no IPv6: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Connect(fd, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, netip.AddrPortFrom(to.Addr(), uint16(name.(*unix.SockaddrInet6).Port))
}

// What is known is read one by one, exactly and soon, however rarely all sockets are looked at.
func TestTCPReadsWhatItKnowsBetweenCompletePasses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "mapped"} {
		t.Run(address, func(t *testing.T) {
			var local netip.AddrPort
			var put func(size int)
			if address == "mapped" {
				var fd int
				fd, local = dialMapped(t, server(t, "127.0.0.1:0", drain))
				put = func(size int) {
					_, err := unix.Write(fd, make([]byte, size))
					require.NoError(t, err)
				}
			} else {
				c := dial(t, server(t, address, drain))
				local = c.LocalAddr().(*net.TCPAddr).AddrPort()
				put = func(size int) { write(t, c, size) }
			}
			r := watchTCP(t, TCPConfig{MinPeriod: 5 * time.Millisecond, Discovery: seldom})
			for i := range 5 {
				put(100 + i)
				data := r.await(t, send.Data, local, i+1)[i]
				require.EqualValues(t, 100+i, data.Bytes)
				require.Equal(t, send.Jiffy, data.Quality)
			}
			require.LessOrEqual(t, r.Stats().Samples, uint64(2), "until a pass has a price")
			require.NotZero(t, r.Stats().ExactReads)
		})
	}
}

func TestWhichConnectionsAreReadOneByOne(t *testing.T) {
	r := newReader(100)
	r.cfg.Budget, r.cfg.Discovery = 0.015, time.Minute
	sending := func(cookie, bytes uint64) sockdiag.Socket { return socket(cookie, bytes, uint32(bytes/10)) }
	old, gone, young := sending(1, 10), sending(2, 10), sending(3, 10)
	server := socket(4, 0, 0)
	server.Info.BytesAcked = 0 // its peer sent the SYN
	r.read(old, gone, young, server)
	for range 20 {
		r.read(old, young, server)
	}
	r.read(old, sending(3, 20), server)

	watched := func() (cookies []uint64) {
		r.choose(r.now)
		for _, slot := range r.watched {
			cookies = append(cookies, r.table.slots[slot].cookie)
		}
		return cookies
	}
	r.full.cost, r.get = time.Millisecond, 2*time.Microsecond
	require.ElementsMatch(t, []uint64{1, 3}, watched(), "what was opened from here and lives")
	require.Equal(t, time.Minute, r.full.min)
	require.Equal(t, time.Second, r.exact.due.Sub(r.now), "the first is due again")
	r.full.cost = 200 * time.Millisecond
	require.ElementsMatch(t, []uint64{1, 3}, watched())
	r.get = 10 * time.Millisecond
	require.Empty(t, watched(), "reading one costs the budget")
	r.full.cost, r.cfg.Discovery = time.Millisecond, time.Second
	require.Empty(t, watched(), "complete passes read as often")
}

func cookie(t *testing.T, c *net.TCPConn) (cookie uint64) {
	control(t, c, func(fd int) (err error) {
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		return err
	})
	return cookie
}

// opened is what another source would tell of c.
func opened(t *testing.T, c *net.TCPConn) send.Send {
	return send.Send{Kind: send.Open, At: boottime.Now(), Socket: send.Socket{Cookie: cookie(t, c), Protocol: send.TCP,
		Local: c.LocalAddr().(*net.TCPAddr).AddrPort(), Remote: c.RemoteAddr().(*net.TCPAddr).AddrPort()}}
}

func TestTCPFollowsWhatItIsTold(t *testing.T) {
	enterNamespace(t)
	to := server(t, "127.0.0.1:0", drain)
	r := watchTCP(t, TCPConfig{MinPeriod: 5 * time.Millisecond, TakenOver: true, Told: func(uint64) bool { return true }})
	tcp := r.runner.(*TCP)
	c, other := dial(t, to), dial(t, to)
	open := opened(t, c)
	tcp.Follow(open)
	tcp.Follow(open)
	for i := range 5 {
		write(t, other, 1000)
		write(t, c, 100+i)
		data := r.await(t, send.Data, to, i+1)[i]
		require.EqualValues(t, 100+i, data.Bytes)
		require.Equal(t, open.Socket.Cookie, data.Socket.Cookie)
		require.Equal(t, send.Jiffy, data.Quality)
	}
	require.Empty(t, only(send.Open, r.of(to)))
	c.Close()
	require.Eventually(t, func() bool { return r.Stats().Sockets == 0 }, patience, time.Millisecond)
	tcp.Follow(open) // too late
	require.Eventually(t, func() bool { return !tcp.following.any() && r.Stats().Sockets == 0 }, patience, time.Millisecond)
	require.EqualValues(t, 510, bytesOf(r.of(to)))
}

// TestTCPFollowsWhatItWasToldTooEarly: a connection of the other source that was opened before the watch began is read as well, if that
// source tells of openings alone.
func TestTCPFollowsWhatItWasToldTooEarly(t *testing.T) {
	enterNamespace(t)
	to := server(t, "127.0.0.1:0", drain)
	for _, opensOnly := range []bool{true, false} {
		c := dial(t, to)
		write(t, c, 1000)
		r := watchTCP(t, TCPConfig{MinPeriod: 5 * time.Millisecond, TakenOver: true, OpensOnly: opensOnly, Told: func(uint64) bool { return true }})
		require.Eventually(t, func() bool { return r.Stats().Samples > 0 }, patience, time.Millisecond)
		want := []uint64{1000}
		for i := range 4 {
			if !opensOnly {
				break
			}
			want = append(want, uint64(100+i))
			r.await(t, send.Data, to, i+1)
			write(t, c, 100+i)
		}
		if !opensOnly {
			require.Empty(t, r.of(to))
			continue
		}
		for i, data := range r.await(t, send.Data, to, len(want)) {
			require.Equal(t, want[i], data.Bytes)
		}
		c.Close()
		require.Eventually(t, func() bool { return r.Stats().Sockets == 0 }, patience, time.Millisecond)
		require.Len(t, r.of(to), len(want), "its beginning and its end are the other's to tell")
	}
}

// Notices of destroyed sockets cost whoever closes one: none are asked for when nothing is left whose end is ours to tell.
func TestTCPListensWhileItHasOwnConnections(t *testing.T) {
	enterNamespace(t)
	sockets := fmt.Sprintf("/proc/self/task/%d/net/netlink", unix.Gettid()) // of this namespace, whichever thread asks
	listeners := func() (n int) {
		table, err := os.ReadFile(sockets)
		require.NoError(t, err)
		for line := range strings.Lines(string(table)) {
			// sk Eth Pid Groups ...
			if f := strings.Fields(line); f[1] == strconv.Itoa(unix.NETLINK_SOCK_DIAG) && strings.Trim(f[3], "0") != "" {
				n++
			}
		}
		return n
	}
	to := server(t, "127.0.0.1:0", drain)
	elder := dial(t, to)
	own := cookie(t, elder)
	r := watchTCP(t, TCPConfig{MinPeriod: 5 * time.Millisecond, Discovery: 10 * time.Millisecond, TakenOver: true,
		Told: func(cookie uint64) bool { return cookie != own }})
	r.passes(t, 3)
	require.Equal(t, 1, listeners())
	younger := dial(t, to)
	r.runner.(*TCP).Follow(opened(t, younger))
	elder.Close()
	r.await(t, send.Close, to, 1)
	require.Eventually(t, func() bool { return listeners() == 0 }, patience, time.Millisecond)
	require.Zero(t, r.Stats().MaxGap, "another looks in between")
	write(t, younger, 10)
	r.await(t, send.Data, to, 1)
}

func TestWhatWaitsToBeFollowedIsBounded(t *testing.T) {
	tcp, err := NewTCP(TCPConfig{TakenOver: true, MaxSockets: 10})
	require.NoError(t, err)
	defer tcp.close()
	for i := range uint64(2 * maxFollowed) {
		tcp.Follow(send.Send{Kind: send.Open, Socket: send.Socket{Cookie: 1 + i}})
	}
	tcp.adoptFollowed()
	require.Len(t, tcp.table.index, 10)
	require.EqualValues(t, maxFollowed-10, tcp.counters.Untracked)
}

// Connections opened later are another source's, but for those it does not know of at a second look.
func TestACrossCheckFindsWhatNobodyTells(t *testing.T) {
	told := map[uint64]bool{2: true}
	r := newReader(100)
	r.cfg.TakenOver, r.cfg.Told = true, func(cookie uint64) bool { return told[cookie] }
	require.Empty(t, r.read(socket(1, 100, 1), socket(2, 100, 1), socket(3, 100, 1), socket(4, 100, 1)))
	told[3] = true // it was on its way
	got := r.read(socket(1, 150, 2), socket(2, 150, 2), socket(3, 150, 2))
	require.Equal(t, []send.Kind{send.Data}, kinds(got))
	require.EqualValues(t, 150, got[0].Bytes)
	require.EqualValues(t, 1, got[0].Socket.Cookie)
	require.Len(t, r.table.index, 1, "of the one that has ended before, nothing is told")
	got = r.last(socket(1, 170, 3))
	require.Equal(t, []send.Kind{send.Data, send.Close}, kinds(got))
	require.Empty(t, r.read(socket(5, 100, 1)))
	require.Empty(t, r.last(socket(5, 120, 2)))
	require.Empty(t, r.table.index)
}

func TestACrossCheckIsRare(t *testing.T) {
	for _, cfg := range []TCPConfig{{TakenOver: true}, {TakenOver: true, MinPeriod: time.Second}} {
		require.NoError(t, cfg.setDefaults())
		require.Equal(t, time.Minute, cfg.Discovery, fmt.Sprint(cfg.MinPeriod))
	}
	require.Error(t, (&TCPConfig{MinPeriod: time.Second, Discovery: time.Millisecond}).setDefaults())
}
