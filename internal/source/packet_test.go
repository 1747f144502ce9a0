package source

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

func TestPacketDatagrams(t *testing.T) {
	enterNamespace(t)
	met := make(chan send.Socket, 2)
	p, err := NewPacket(PacketConfig{Period: 5 * time.Millisecond, Meet: func(s send.Socket) { met <- s }})
	r := run(t, p, err)
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	to := l.LocalAddr().(*net.UDPAddr).AddrPort()
	c, err := net.Dial("udp4", to.String())
	require.NoError(t, err)
	defer c.Close()
	client := c.LocalAddr().(*net.UDPAddr).AddrPort()
	cookie := uint64(0)
	raw, err := c.(*net.UDPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		cookie, _ = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE)
	}))
	before := boottime.Now()
	buffer := make([]byte, 100)
	for range 20 {
		write(t, c, 40)
		_, from, err := l.ReadFrom(buffer)
		require.NoError(t, err)
		_, err = l.WriteTo(buffer[:90], from)
		require.NoError(t, err)
		_, err = c.Read(buffer)
		require.NoError(t, err)
	}
	after := boottime.Now()
	require.Eventually(t, func() bool { return bytesOf(r.of(client)) == 20*40 }, patience, time.Millisecond)
	var sends uint32
	for _, s := range r.of(client) {
		require.Equal(t, to, s.Socket.Remote, "the answers are not outbound")
		require.Equal(t, cookie, s.Socket.Cookie)
		require.Equal(t, uint32(os.Getuid()), s.Socket.UID)
		require.Zero(t, s.Sender)
		require.GreaterOrEqual(t, s.At, before)
		require.LessOrEqual(t, s.At.Add(-s.Within), after)
		sends += s.Sends
	}
	require.Equal(t, uint32(20), sends)
	require.Equal(t, uint64(1), r.Stats().Passive)
	require.Equal(t, cookie, (<-met).Cookie, "told when its first datagram left")
	require.Empty(t, met, "and told once")
}

func TestForwards(t *testing.T) {
	enterNamespace(t)
	const routing = "/proc/sys/net/ipv4/ip_forward"
	require.NoError(t, os.WriteFile(routing, []byte("0"), 0)) // a new namespace begins as its host is
	require.False(t, forwards(0))
	require.NoError(t, os.WriteFile(routing, []byte("1"), 0))
	require.True(t, forwards(0))
	require.NoError(t, os.WriteFile(routing, []byte("0"), 0))
	configure(t, []string{"ip", "link", "add", "br0", "type", "bridge"}, []string{"ip", "link", "add", "v0", "type", "veth"})
	require.False(t, forwards(0))
	configure(t, []string{"ip", "link", "set", "v0", "master", "br0"})
	require.True(t, forwards(0))
	require.True(t, forwards(1<<20), "no such namespace: it cannot be told")
}

// watcher returns a Packet that only observes, and where what it emits goes.
func watcher(cfg PacketConfig) (*Packet, *[]send.Send) {
	var got []send.Send
	if err := cfg.setDefaults(); err != nil {
		panic(err)
	}
	p := &Packet{cfg: cfg, pairs: make(map[pairKey]*pair), owners: make(map[uint16][]sockdiag.Socket), started: 1}
	p.emit = func(s send.Send) { got = append(got, s) }
	return p, &got
}

// outgoing is a datagram that leaves at a time.
func outgoing(at boottime.Time) *packet.Packet {
	return &packet.Packet{Protocol: 17, Outgoing: true, Local: here, Remote: there, Size: 10, At: int64(at)}
}

func TestPacketFolds(t *testing.T) {
	p, got := watcher(PacketConfig{})
	p.quiet = 500
	p.datagram(outgoing(1000))
	p.datagram(outgoing(2000))
	p.flush(2000)
	p.quiet = boottime.Time(time.Minute)
	p.datagram(outgoing(p.quiet + 2))
	p.flush(p.quiet + 5)
	p.sweep(boottime.Time(time.Hour))
	require.Len(t, *got, 4)
	data := only(send.Data, *got)
	require.Equal(t, []uint64{20, 10}, []uint64{data[0].Bytes, data[1].Bytes})
	require.Equal(t, uint32(2), data[0].Sends)
	require.Equal(t, boottime.Time(2000), data[0].At)
	require.Equal(t, time.Duration(1001), data[0].Within)
	require.Equal(t, boottime.Time(time.Minute)+2, data[1].At)
	require.Zero(t, data[1].Within)
	require.Equal(t, send.Inferred, data[0].Quality, "it may have begun before the source did")
	require.Empty(t, p.pairs)
}

func TestPacketDirection(t *testing.T) {
	later := boottime.Time(time.Hour)
	out := *outgoing(later)
	in := out
	in.Outgoing = false
	tests := map[string]struct {
		cfg     PacketConfig
		packets []packet.Packet
		want    uint64
	}{
		"ours alone":             {PacketConfig{}, []packet.Packet{out}, 10},
		"ours first":             {PacketConfig{}, []packet.Packet{out, in, out}, 20},
		"theirs first":           {PacketConfig{}, []packet.Packet{in, out, out}, 0},
		"forwarded, no socket":   {PacketConfig{Forwards: true}, []packet.Packet{out}, 0},
		"no room for a new pair": {PacketConfig{MaxPairs: 1}, []packet.Packet{{Protocol: 17, Local: there, Remote: here, At: int64(later)}, out}, 0},
	}
	for name, tt := range tests {
		p, got := watcher(tt.cfg)
		for i := range tt.packets {
			p.datagram(&tt.packets[i])
		}
		p.flush(later)
		require.Equal(t, tt.want, bytesOf(*got), name)
		for _, s := range *got {
			require.Equal(t, map[uint64]send.Quality{10: send.Exact, 20: send.Aggregated}[tt.want], s.Quality, name)
		}
		require.LessOrEqual(t, len(p.pairs), p.cfg.MaxPairs, name)
	}
}

// A clock that was set back between the packet and its reading dates it before what was read earlier.
func TestPacketTimeIsBoundedByTheReadings(t *testing.T) {
	p, got := watcher(PacketConfig{})
	p.quiet = 5000
	p.datagram(outgoing(4000))
	p.flush(6000)
	require.Equal(t, boottime.Time(5000), (*got)[0].At)
}

func TestPacketDoesNotAllocate(t *testing.T) {
	p, _ := watcher(PacketConfig{})
	p.emit = func(send.Send) {}
	out := outgoing(1000)
	step := func() { p.datagram(out); p.flush(1000) }
	step()
	require.Zero(t, testing.AllocsPerRun(100, step))
}

func TestPacketConfig(t *testing.T) {
	for name, cfg := range map[string]PacketConfig{
		"too fast": {Period: 1}, "idle within a period": {Idle: time.Millisecond}, "no pairs": {MaxPairs: -1}, "two cores": {Budget: 2},
	} {
		_, err := NewPacket(cfg)
		require.ErrorContains(t, err, "packet: period", name)
	}
}

// Datagrams that are too many for the budget are lost at last, but not unnoticed: the kernel counts what is not read.
func TestPacketKeepsToItsBudget(t *testing.T) {
	enterNamespace(t, []string{"ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"},
		[]string{"ip", "link", "set", "eth0", "up"}, []string{"ip", "link", "set", "eth1", "up"},
		[]string{"ip", "address", "add", "192.0.2.2/24", "dev", "eth0"},
		[]string{"ip", "neighbour", "add", "192.0.2.1", "lladdr", "02:00:00:00:00:99", "dev", "eth0"}) // nobody's
	p, err := NewPacket(PacketConfig{Budget: 0.01, ReceiveBuffer: 1})
	if err == nil {
		p.reading.paid = boottime.Now() // nothing is saved up
	}
	r := run(t, p, err)
	c, err := net.Dial("udp4", "192.0.2.1:9")
	require.NoError(t, err)
	defer c.Close()
	const made = 5000
	for range made {
		write(t, c, 10)
	}
	var told, lost uint64
	require.Eventually(t, func() bool {
		told, lost = bytesOf(r.of(netip.MustParseAddrPort("192.0.2.1:9")))/10, r.Stats().Lost
		return told+lost == made
	}, patience, 10*time.Millisecond, "%d told, %d lost", &told, &lost)
	require.Positive(t, lost)
	require.Positive(t, r.Stats().Gaps)
}
